/* A Pod's outside says the same in a Sandbox's status as the Pod, and is much smaller. */
#include "services/reconciler/kubernetes/pod/pod_outside.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

static const char POD[] =
    "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p','namespace':'n','uid':'u','resourceVersion':'7',"
    "'generation':1,'creationTimestamp':'2026-01-01T00:00:00Z','deletionTimestamp':'2026-01-02T00:00:00Z',"
    "'labels':{'a':'b'},'annotations':{'c':'d'},'finalizers':['x'],"
    "'ownerReferences':[{'kind':'Sandbox','uid':'s','controller':true}]},"
    "'spec':{'nodeName':'node','containers':[{'name':'main','image':'i'}],'tolerations':[]},"
    "'status':{'phase':'Running','podIP':'10.0.0.1','podIPs':[{'ip':'10.0.0.1'}],'hostIP':'10.0.0.9',"
    "'conditions':[{'type':'Initialized','status':'True'},{'type':'Ready','status':'True','lastProbeTime':null},"
    "{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'m','lastTransitionTime':'t'}],"
    "'containerStatuses':[{'name':'main'},{'name':'side','ready':false,'image':'i','restartCount':3,"
    "'lastState':{'terminated':{'exitCode':3}},'state':{'waiting':{'reason':'CrashLoopBackOff','message':'back-off'}}}]"
    "}}";

static const char OUTSIDE[] = "{'metadata':{'name':'p','namespace':'n','uid':'u','resourceVersion':'7',"
                              "'deletionTimestamp':'2026-01-02T00:00:00Z','labels':{'a':'b'},'annotations':{'c':'d'},"
                              "'ownerReferences':[{'kind':'Sandbox','uid':'s','controller':true}]},"
                              "'spec':{'nodeName':'node'},"
                              "'status':{'phase':'Running','podIPs':[{'ip':'10.0.0.1'}],'restarts':3,"
                              "'conditions':[{'type':'Ready','status':'True'},"
                              "{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'m'}],"
                              "'containerStatuses':[{'name':'side','state':{'waiting':{'reason':'CrashLoopBackOff',"
                              "'message':'back-off'}}}]}}";

static void keeps_what_is_read(void **state) {
  KUBE_OWNED json_t *pod = quoted("%s", POD), *outside = quoted("%s", OUTSIDE);
  pod_outside(pod);
  assert_true(json_equal(pod, outside));
  /* again changes nothing */
  pod_outside(pod);
  assert_true(json_equal(pod, outside));
}

static void takes_what_is_not_there(void **state) {
  KUBE_OWNED json_t *pod = quoted("{'metadata':{'name':'p'},'status':7,'spec':[]}"),
                    *outside = quoted("{'metadata':{'name':'p'},'spec':{},'status':{}}");
  pod_outside(pod);
  assert_true(json_equal(pod, outside));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(keeps_what_is_read), cmocka_unit_test(takes_what_is_not_there)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
