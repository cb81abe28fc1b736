#include "services/reconciler/kubernetes/pool/member_trouble.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define READY(fields) "{'metadata':{'name':'p-abcde'},'status':{'conditions':[{'type':'Ready'," fields "}]}}"
#define WAITING READY("'status':'False','reason':'DependenciesNotReady','message':'Pod is Running but not Ready'")

static void test_reasons(void **s) {
  static const struct {
    const char *sandbox, *pod;
    int64_t unready_ms;
    TroubleRank rank;
    const char *reason, *message;
  } CASES[] = {
      {READY("'status':'True','reason':'DependenciesReady'"), NULL, 99999, TROUBLE_NONE, "", ""},
      {"{'metadata':{'name':'p-abcde'}}", NULL, 0, TROUBLE_NONE, "", ""},
      {WAITING, "{'status':{'phase':'Running'}}", MEMBER_PATIENCE_MS - 1, TROUBLE_NONE, "", ""},
      {WAITING, "{'status':{'phase':'Running'}}", MEMBER_PATIENCE_MS, TROUBLE_UNREADY, "NotReady",
       "p-abcde: Pod is Running but not Ready"},
      {READY("'status':'False','reason':'ReconcilerError','message':'Error seen: exceeded quota: q'"), NULL, 0,
       TROUBLE_REFUSED, "ReconcilerError", "p-abcde: Error seen: exceeded quota: q"},
      {WAITING,
       "{'status':{'conditions':[{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'0/3 "
       "nodes'}]}}",
       0, TROUBLE_UNSCHEDULED, "Unschedulable", "p-abcde: 0/3 nodes"},
      {WAITING,
       "{'status':{'containerStatuses':[{'name':'a','state':{'running':{}}},{'name':'b','state':{'waiting':{'reason':"
       "'ImagePullBackOff','message':'no such image'}}}]}}",
       0, TROUBLE_CONTAINER, "ImagePullBackOff", "p-abcde: container b: no such image"},
      {WAITING, "{'status':{'containerStatuses':[{'name':'a','state':{'waiting':{'reason':'ContainerCreating'}}}]}}", 0,
       TROUBLE_NONE, "", ""},
      {WAITING,
       "{'status':{'containerStatuses':[{'name':'a','state':{'terminated':{'reason':'Error','exitCode':3}}}]}}", 0,
       TROUBLE_CONTAINER, "Error", "p-abcde: container a: exit code 3"},
      {WAITING, "{'status':{'containerStatuses':[{'name':'a','state':{'waiting':{'reason':'no such: thing'}}}]}}", 0,
       TROUBLE_CONTAINER, "no_such__thing", "p-abcde: container a: no such: thing"},
      /* an init container that did what it was for */
      {WAITING,
       "{'status':{'initContainerStatuses':[{'name':'i','state':{'terminated':{'reason':'Completed','exitCode':0}}}]}}",
       0, TROUBLE_NONE, "", ""},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = quoted("%s", CASES[i].sandbox);
    KUBE_OWNED json_t *pod = CASES[i].pod ? quoted("%s", CASES[i].pod) : NULL;
    MemberTrouble t;
    member_trouble(sandbox, pod, CASES[i].unready_ms, &t);
    assert_int_equal(t.rank, CASES[i].rank);
    assert_string_equal(t.reason, CASES[i].reason);
    assert_string_equal(t.message, CASES[i].message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_reasons)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
