#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define NOW "2026-01-01T00:00:09Z"
#define EARLIER "2026-01-01T00:00:00Z"

/* spec and status: contents of JSON objects. */
static json_t *my_sandbox(const char *spec, const char *status) {
  return quoted(
      "{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1','generation':3},'spec':{%s},'status':{%s}}", spec,
      status);
}

#define RUNNING "'operatingMode':'Running'"
#define SUSPENDED "'operatingMode':'Suspended'"
#define POD(phase, conditions, more) "{'status':{'phase':'" phase "','conditions':[" conditions "]" more "}}"
#define IPS ",'podIPs':[{'ip':'10.0.0.1'},{'ip':'fd00::1'}]"
#define IS_READY "{'type':'Ready','status':'True'}"
#define IS_UNREADY "{'type':'Ready','status':'False'}"
#define READY_POD POD("Running", IS_READY, IPS)
#define TERMINATING_POD \
  "{'metadata':{'deletionTimestamp':'" NOW "'},'status':{'phase':'Running','conditions':[" IS_READY "]" IPS "}}"
#define SERVICE "{'metadata':{'name':'my-sandbox'}}"

typedef struct Case {
  const char *spec;
  const char *pod, *unowned_pod, *service; /* NULL: none */
  size_t n_owned_pods;
  bool pod_failed;
  const char *error_text;
  bool error_is_final;
  /* "status/reason/message"; NULL: the condition is not there */
  const char *want;
} Case;

static json_t *build(const Case *c, const json_t *sandbox) {
  KUBE_OWNED json_t *pod = c->pod ? quoted("%s", c->pod) : NULL;
  KUBE_OWNED json_t *unowned = c->unowned_pod ? quoted("%s", c->unowned_pod) : NULL;
  KUBE_OWNED json_t *service = c->service ? quoted("%s", c->service) : NULL;
  SandboxView view = {.sandbox = sandbox,
                      .pod = pod,
                      .unowned_pod = unowned,
                      .pod_failed = c->pod_failed,
                      .n_owned_pods = c->n_owned_pods ? c->n_owned_pods : pod != NULL,
                      .service = service,
                      .error_text = c->error_text,
                      .error_is_final = c->error_is_final,
                      .cluster_domain = "cluster.local",
                      .now = NOW};
  return sandbox_status_build(&view);
}

static void check(const Case *cases, size_t n, const char *type, const char *old_status) {
  for (size_t i = 0; i < n; i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(cases[i].spec, old_status);
    KUBE_OWNED json_t *status = build(&cases[i], sandbox);
    const json_t *c = kube_condition(kube_get(status, "conditions"), type);
    CLEANUP(str_freep)
    char *got =
        c ? str_printf("%s/%s/%s", kube_text(c, "status"), kube_text(c, "reason"), kube_text(c, "message")) : NULL;
    if (!str_equal(got, cases[i].want))
      fail_msg("row %zu: %s", i, got ? got : "no condition");
    if (c)
      assert_int_equal(kube_int(c, "observedGeneration", 0), 3);
  }
}

static void test_suspended(void **s) {
  static const Case CASES[] = {
      {.spec = RUNNING, .want = "False/NotSuspended/Sandbox is not suspended"},
      {.spec = "", .want = "False/NotSuspended/Sandbox is not suspended"},
      {.spec = RUNNING, .pod_failed = true, .want = "False/NotSuspended/Sandbox is not suspended"},
      {.spec = SUSPENDED,
       .pod_failed = true,
       .error_text = "x",
       .want = "Unknown/PodStateUnknown/Pod state is unknown. Sandbox suspension cannot be confirmed"},
      {.spec = SUSPENDED,
       .n_owned_pods = 2,
       .want = "Unknown/PodStateUnknown/Pod state is unknown. Sandbox suspension cannot be confirmed"},
      {.spec = SUSPENDED, .want = "True/PodTerminated/Pod has been terminated. Sandbox is suspended"},
      {.spec = SUSPENDED,
       .unowned_pod = READY_POD,
       .want = "False/PodNotOwned/Refused to delete pod because it is not owned by this sandbox"},
      {.spec = SUSPENDED, .pod = READY_POD, .want = "False/PodTerminating/Pod is terminating. Sandbox is suspending"},
      {.spec = SUSPENDED,
       .pod = READY_POD,
       .pod_failed = true,
       .want = "False/PodTerminating/Pod is terminating. Sandbox is suspending"},
  };
  check(CASES, ARRAY_LEN(CASES), "Suspended", "");
}

static void test_finished(void **s) {
  static const Case CASES[] = {
      {.spec = RUNNING, .pod = POD("Succeeded", "", ""), .want = "True/PodSucceeded/Pod completed successfully"},
      {.spec = RUNNING, .pod = POD("Failed", "", ""), .want = "True/PodFailed/Pod failed"},
      {.spec = RUNNING, .pod = READY_POD},
      {.spec = RUNNING},
      {.spec = RUNNING, .unowned_pod = POD("Failed", "", "")},
  };
  check(CASES, ARRAY_LEN(CASES), "Finished", "");
  check(CASES, ARRAY_LEN(CASES), "Finished",
        "'conditions':[{'type':'Finished','status':'True','reason':'PodFailed','message':'old'}]");
}

static void test_pod_scheduled(void **s) {
#define SCHEDULED(rest) POD("Pending", "{'type':'PodScheduled'," rest "}", "")
  static const Case CASES[] = {
      {.spec = RUNNING,
       .pod = SCHEDULED("'status':'False','reason':'Unschedulable','message':'0/1 nodes'"),
       .want = "False/Unschedulable/0/1 nodes"},
      {.spec = RUNNING, .pod = SCHEDULED("'status':'True'"), .want = "True/PodScheduled/"},
      {.spec = RUNNING, .pod = SCHEDULED("'status':'False','reason':''"), .want = "False/PodSchedulingUnknown/"},
      {.spec = RUNNING, .pod = SCHEDULED("'status':'Unknown'"), .want = "Unknown/PodSchedulingUnknown/"},
      {.spec = RUNNING,
       .pod = READY_POD,
       .want = "Unknown/PodSchedulingUnknown/Pod has not reported a PodScheduled condition yet"},
      {.spec = RUNNING,
       .pod_failed = true,
       .want = "Unknown/PodSchedulingUnknown/Pod state is unknown. Pod scheduling cannot be determined"},
      {.spec = RUNNING,
       .n_owned_pods = 2,
       .want = "Unknown/PodSchedulingUnknown/Pod state is unknown. Pod scheduling cannot be determined"},
      {.spec = RUNNING},
      {.spec = SUSPENDED, .unowned_pod = SCHEDULED("'status':'True'")},
  };
  check(CASES, ARRAY_LEN(CASES), "PodScheduled", "");
  check(CASES, ARRAY_LEN(CASES), "PodScheduled",
        "'conditions':[{'type':'PodScheduled','status':'True','reason':'PodScheduled','message':'old'}]");
}

static void test_ready_first_match_wins(void **s) {
  static const Case CASES[] = {
      /* 1 */
      {.spec = SUSPENDED,
       .n_owned_pods = 3,
       .error_text = "x",
       .want =
           "False/MultiplePods/multiple Pods (3) are controlled by this Sandbox; refusing to choose or create a Pod"},
      /* 2 */
      {.spec = RUNNING, .pod = READY_POD, .error_text = "no PVC", .want = "False/ReconcilerError/Error seen: no PVC"},
      {.spec = SUSPENDED, .error_text = "no PVC", .want = "False/ReconcilerError/Error seen: no PVC"},
      {.spec = RUNNING, .error_text = "cut \xc3", .want = "False/ReconcilerError/Error seen: cut ?"},
      {.spec = RUNNING, .error_text = "whole \xc3\xa4", .want = "False/ReconcilerError/Error seen: whole \xc3\xa4"},
      {.spec = RUNNING,
       .error_text = "Pod \"x\" is invalid",
       .error_is_final = true,
       .want = "False/InvalidConfiguration/Pod \"x\" is invalid"},
      {.spec = RUNNING, .error_is_final = true, .pod = READY_POD, .want = "True/DependenciesReady/Pod is Ready"},
      /* 3 */
      {.spec = SUSPENDED, .want = "False/SandboxSuspended/Sandbox is suspended"},
      {.spec = SUSPENDED, .pod = READY_POD, .want = "False/SandboxSuspended/Sandbox is suspending"},
      {.spec = SUSPENDED, .unowned_pod = READY_POD, .want = "False/SandboxSuspended/Sandbox is suspending"},
      {.spec = SUSPENDED, .pod = POD("Failed", "", ""), .want = "False/SandboxSuspended/Sandbox is suspending"},
      /* 4 */
      {.spec = RUNNING, .pod = POD("Succeeded", "", ""), .want = "False/PodSucceeded/Pod completed successfully"},
      {.spec = RUNNING, .pod = POD("Failed", IS_READY, IPS), .want = "False/PodFailed/Pod failed"},
      /* one that is being deleted serves nobody any more */
      {.spec = RUNNING, .pod = TERMINATING_POD, .want = "False/DependenciesNotReady/Pod is terminating"},
      {.spec = RUNNING ",'service':true",
       .pod = TERMINATING_POD,
       .service = SERVICE,
       .want = "False/DependenciesNotReady/Pod is terminating; Service Exists"},
      /* 5, without a Service */
      {.spec = RUNNING, .error_text = "", .want = "False/DependenciesNotReady/Pod does not exist"},
      {.spec = RUNNING, .pod = "{}", .want = "False/DependenciesNotReady/Pod exists with phase: "},
      {.spec = RUNNING,
       .pod = POD("Pending", "", ""),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending"},
      {.spec = RUNNING,
       .pod = POD("Pending", IS_READY, IPS),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending"},
      {.spec = RUNNING,
       .pod = POD("Running", "", IPS),
       .want = "False/DependenciesNotReady/Pod is Running but not Ready"},
      {.spec = RUNNING,
       .pod = POD("Running", IS_UNREADY, IPS),
       .want = "False/DependenciesNotReady/Pod is Running but not Ready"},
      /* what keeps it from running, as the scheduler and kubelet say it */
      {.spec = RUNNING,
       .pod = POD("Pending", "{'type':'PodScheduled','status':'False','reason':'Unschedulable','message':'0/1 nodes'}",
                  ""),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending (Unschedulable: 0/1 nodes)"},
      {.spec = "'service':true",
       .pod =
           POD("Pending", "", ",'containerStatuses':[{'name':'main','state':{'waiting':{'reason':'ErrImagePull'}}}]"),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending (container main: ErrImagePull); Service does "
               "not exist"},
      {.spec = RUNNING,
       .pod = POD("Pending", "",
                  ",'containerStatuses':[{'name':'main','state':{'waiting':{'reason':'ContainerCreating'}}}]"),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending"},
      {.spec = RUNNING,
       .pod =
           POD("Running", IS_UNREADY,
               ",'containerStatuses':[{'name':'main','state':{'terminated':{'reason':'OOMKilled','exitCode':137}}}]"),
       .want = "False/DependenciesNotReady/Pod is Running but not Ready (container main: OOMKilled: exit code 137)"},
      {.spec = RUNNING,
       .pod = POD("Running", IS_READY, ""),
       .want = "False/DependenciesNotReady/Pod is Ready but has no podIPs yet"},
      {.spec = RUNNING,
       .pod = POD("Running", IS_READY, ",'podIPs':[]"),
       .want = "False/DependenciesNotReady/Pod is Ready but has no podIPs yet"},
      {.spec = RUNNING, .pod = READY_POD, .want = "True/DependenciesReady/Pod is Ready"},
      /* 5, with a Service: asked for, there though unset, unwanted */
      {.spec = "'service':true",
       .pod = READY_POD,
       .service = SERVICE,
       .want = "True/DependenciesReady/Pod is Ready; Service Exists"},
      {.spec = "'service':true",
       .pod = READY_POD,
       .want = "False/DependenciesNotReady/Pod is Ready; Service does not exist"},
      {.spec = "'service':true",
       .service = SERVICE,
       .want = "False/DependenciesNotReady/Pod does not exist; Service Exists"},
      {.spec = "'service':true",
       .pod = POD("Pending", "", ""),
       .want = "False/DependenciesNotReady/Pod exists with phase: Pending; Service does not exist"},
      {.spec = RUNNING,
       .pod = READY_POD,
       .service = SERVICE,
       .want = "True/DependenciesReady/Pod is Ready; Service Exists"},
      {.spec = "'service':false", .pod = READY_POD, .want = "True/DependenciesReady/Pod is Ready"},
  };
  check(CASES, ARRAY_LEN(CASES), "Ready", "");
}

static void test_order_of_conditions(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(RUNNING, "");
  Case c = {.pod = POD("Failed", "", "")};
  KUBE_OWNED json_t *status = build(&c, sandbox);
  static const char *const WANT[] = {"Suspended", "Finished", "PodScheduled", "Ready"};
  const json_t *conditions = kube_get(status, "conditions");
  assert_int_equal(json_array_size(conditions), ARRAY_LEN(WANT));
  for (size_t i = 0; i < ARRAY_LEN(WANT); i++) {
    assert_string_equal(kube_text(json_array_get(conditions, i), "type"), WANT[i]);
    assert_string_equal(kube_text(json_array_get(conditions, i), "lastTransitionTime"), NOW);
  }
}

static void test_transition_time_follows_status_only(void **s) {
  KUBE_OWNED json_t *sandbox =
      my_sandbox(SUSPENDED, "'conditions':[{'type':'Suspended','status':'False','reason':'NotSuspended','message':'m',"
                            "'lastTransitionTime':'" EARLIER "'}]");
  KUBE_OWNED json_t *before = json_deep_copy(sandbox);
  Case terminating = {.pod = READY_POD};
  KUBE_OWNED json_t *first = build(&terminating, sandbox);
  const json_t *c = kube_condition(kube_get(first, "conditions"), "Suspended");
  assert_string_equal(kube_text(c, "reason"), "PodTerminating");
  assert_string_equal(kube_text(c, "lastTransitionTime"), EARLIER);
  Case terminated = {0};
  KUBE_OWNED json_t *second = build(&terminated, sandbox);
  assert_string_equal(kube_text(kube_condition(kube_get(second, "conditions"), "Suspended"), "lastTransitionTime"),
                      NOW);
  assert_true(json_equal(sandbox, before));
}

/* ---- the other fields ---- */

#define SELECTOR "'selector':'agents.x-k8s.io/sandbox-name-hash=374de8f5'"
#define SERVICE_FIELDS "'service':'my-sandbox','serviceFQDN':'my-sandbox.ns.svc.cluster.local'"
#define NODE_POD "{'spec':{'nodeName':'n1'},'status':{'phase':'Running'" IPS "}}"
#define POD_FIELDS "'podIPs':['10.0.0.1','fd00::1'],'nodeName':'n1'"

static void test_fields(void **s) {
  static const struct {
    Case c;
    const char *old, *want; /* without conditions */
  } CASES[] = {
      {{.spec = RUNNING}, "", ""},
      {{.spec = RUNNING, .pod = NODE_POD}, "", SELECTOR "," POD_FIELDS},
      {{.spec = RUNNING, .pod = NODE_POD, .service = SERVICE}, "", SELECTOR "," POD_FIELDS "," SERVICE_FIELDS},
      /* the selector stays, the Pod's fields and the Service's do not */
      {{.spec = SUSPENDED}, SELECTOR "," POD_FIELDS "," SERVICE_FIELDS, SELECTOR},
      {{.spec = SUSPENDED, .service = SERVICE}, SELECTOR "," POD_FIELDS, SELECTOR "," SERVICE_FIELDS},
      {{.spec = SUSPENDED, .unowned_pod = NODE_POD}, POD_FIELDS, SELECTOR},
      {{.spec = RUNNING, .pod = "{}"}, POD_FIELDS, SELECTOR},
      {{.spec = RUNNING, .pod = NODE_POD, .n_owned_pods = 2}, SELECTOR "," POD_FIELDS, SELECTOR},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(CASES[i].c.spec, CASES[i].old);
    KUBE_OWNED json_t *status = build(&CASES[i].c, sandbox);
    json_object_del(status, "conditions");
    CLEANUP(str_freep) char *want = str_printf("{%s}", CASES[i].want);
    assert_json(status, want);
  }
}

static void test_unknown_service_stays_in_the_status(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(RUNNING, SERVICE_FIELDS);
  SandboxView view = {
      .sandbox = sandbox, .n_owned_pods = 2, .service_unknown = true, .cluster_domain = "cluster.local", .now = NOW};
  KUBE_OWNED json_t *status = sandbox_status_build(&view);
  assert_string_equal(kube_text(status, "serviceFQDN"), "my-sandbox.ns.svc.cluster.local");
  assert_string_equal(kube_text(status, "service"), "my-sandbox");
}

/* ---- the patch ---- */

#define READY(status) "'conditions':[{'type':'Ready','status':'" status "'}]"

static void test_old_news(void **s) {
  static const struct {
    const char *old, *next;
    bool wanted;
  } CASES[] = {
      {"{'service':'x','conditions':[{'type':'Ready','status':'True','observedGeneration':1}]}",
       "{'service':'x','conditions':[{'type':'Ready','status':'True','observedGeneration':2}]}", true},
      {"{'conditions':[{'type':'Ready','status':'True','observedGeneration':1}]}",
       "{'conditions':[{'type':'Ready','status':'False','observedGeneration':2}]}", false},
      {"{'conditions':[{'type':'Ready','status':'True'}]}",
       "{'podIPs':['1'],'conditions':[{'type':'Ready','status':'True'}]}", false},
      {"null", "{'conditions':[]}", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = quoted("{'status':%s}", CASES[i].old);
    KUBE_OWNED json_t *next = quoted("%s", CASES[i].next);
    assert_int_equal(sandbox_status_is_old_news(sandbox, next), CASES[i].wanted);
  }
  KUBE_OWNED json_t *fresh = quoted("{}");
  KUBE_OWNED json_t *status = quoted("{'conditions':[]}");
  assert_false(sandbox_status_is_old_news(fresh, status));
}

static void test_patch(void **s) {
  static const struct {
    const char *old, *next, *want; /* contents of the status */
  } CASES[] = {
      {READY("True"), READY("True"), NULL},
      {"", READY("False"), "{'status':{" READY("False") "}}"},
      {READY("True") ",'nodeName':'a'", READY("True"), "{'status':{'nodeName':null}}"},
      {READY("True"), READY("True") ",'nodeName':'a'", "{'status':{'nodeName':'a'}}"},
      /* not worth a write of its own */
      {READY("False"), READY("False") ",'nodeName':'a'", NULL},
      {READY("False") ",'nodeName':'a'", READY("False"), NULL},
      /* it rides with another change */
      {READY("False"), READY("False") ",'nodeName':'a'," SELECTOR, "{'status':{'nodeName':'a'," SELECTOR "}}"},
      {READY("True"), READY("False") ",'nodeName':'a'", "{'status':{'nodeName':'a'," READY("False") "}}"},
      {"'podIPs':['a']", "'podIPs':['a','b']", "{'status':{'podIPs':['a','b']}}"},
      {SERVICE_FIELDS, "", "{'status':{'service':null,'serviceFQDN':null}}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox("", CASES[i].old);
    KUBE_OWNED json_t *next = quoted("{%s}", CASES[i].next);
    KUBE_OWNED json_t *patch = sandbox_status_patch(sandbox, next);
    assert_json(patch, CASES[i].want);
  }
  KUBE_OWNED json_t *without = quoted("{'metadata':{'name':'my-sandbox'}}");
  KUBE_OWNED json_t *next = quoted("{" READY("False") "}");
  KUBE_OWNED json_t *patch = sandbox_status_patch(without, next);
  assert_json(patch, "{'status':{" READY("False") "}}");
}

static void test_a_pass_that_sees_nothing_new_writes_nothing(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(RUNNING, "");
  Case c = {.pod = READY_POD, .service = SERVICE};
  KUBE_OWNED json_t *first = build(&c, sandbox);
  json_object_set(sandbox, "status", first);
  KUBE_OWNED json_t *second = build(&c, sandbox);
  KUBE_OWNED json_t *patch = sandbox_status_patch(sandbox, second);
  assert_null(patch);
  /* a new generation is news */
  kube_set(sandbox, "metadata.generation", json_integer(4));
  KUBE_OWNED json_t *third = build(&c, sandbox);
  KUBE_OWNED json_t *bump = sandbox_status_patch(sandbox, third);
  assert_int_equal(kube_int(kube_condition(kube_get(bump, "status.conditions"), "Ready"), "observedGeneration", 0), 4);
}

/* ---- expiry ---- */

static void test_expiry(void **s) {
#define MARKED "'conditions':[{'type':'Ready','status':'False','reason':'SandboxExpired'}]"
  static const struct {
    const char *spec, *status;
    SandboxExpiry want;
    int64_t requeue_ms;
  } CASES[] = {
      {"", "", SANDBOX_LIVES, 0},
      {"", MARKED, SANDBOX_LIVES, 0},
      {"'shutdownTime':'nonsense'", "", SANDBOX_LIVES, 0},
      {"'shutdownTime':'1970-01-01T00:01:40Z'", "", SANDBOX_EXPIRES, 0},
      {"'shutdownTime':'1970-01-01T00:01:39Z'", READY("True"), SANDBOX_EXPIRES, 0},
      {"'shutdownTime':'1970-01-01T00:01:39Z'", MARKED, SANDBOX_EXPIRED, 0},
      {"'shutdownTime':'1970-01-01T00:01:41Z'", "", SANDBOX_LIVES, 2000},
      {"'shutdownTime':'1970-01-01T00:01:45Z'", "", SANDBOX_LIVES, 5000},
      /* moved to the future: it lives again */
      {"'shutdownTime':'1970-01-01T01:01:45+01:00'", MARKED, SANDBOX_LIVES, 5000},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(CASES[i].spec, CASES[i].status);
    int64_t requeue_ms = -1;
    assert_int_equal(sandbox_expiry(sandbox, 100000, &requeue_ms), CASES[i].want);
    assert_int_equal(requeue_ms, CASES[i].requeue_ms);
  }
  KUBE_OWNED json_t *delete = my_sandbox("'shutdownPolicy':'Delete'", "");
  KUBE_OWNED json_t *retain = my_sandbox("'shutdownPolicy':'Retain'", "");
  KUBE_OWNED json_t *unset = my_sandbox("", "");
  assert_true(sandbox_expiry_deletes(delete));
  assert_false(sandbox_expiry_deletes(retain));
  assert_false(sandbox_expiry_deletes(unset));
}

#define CONDITION(type, status, reason) \
  "{'type':'" type "','status':'" status "','reason':'" reason "','message':'m','lastTransitionTime':'" EARLIER "'}"
#define EXPIRED(since)                                                                          \
  "{'type':'Ready','status':'False','reason':'SandboxExpired','message':'Sandbox has expired'," \
  "'lastTransitionTime':'" since "','observedGeneration':3}"
#define KEPT CONDITION("Suspended", "False", "NotSuspended") "," CONDITION("Finished", "True", "PodFailed")

static void test_marking(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox(
      "", POD_FIELDS ",'conditions':[" KEPT "," CONDITION("PodScheduled", "True", "PodScheduled") "," CONDITION(
              "Ready", "True", "DependenciesReady") "]");
  KUBE_OWNED json_t *status = sandbox_status_expired(sandbox, NULL, NOW);
  assert_json(status, "{" POD_FIELDS ",'conditions':[" KEPT "," EXPIRED(NOW) "]}");
  /* a status just computed, by a pass that crossed the deadline */
  KUBE_OWNED json_t *computed = quoted("{" SELECTOR "}");
  KUBE_OWNED json_t *crossed = sandbox_status_expired(sandbox, computed, NOW);
  assert_json(crossed, "{" SELECTOR ",'conditions':[" EXPIRED(NOW) "]}");
}

static void test_wiping(void **s) {
  KUBE_OWNED json_t *sandbox =
      my_sandbox("", SELECTOR "," POD_FIELDS "," SERVICE_FIELDS ",'conditions':[" KEPT "," EXPIRED(EARLIER) "]");
  KUBE_OWNED json_t *status = sandbox_status_wiped(sandbox, NOW);
  assert_json(status, "{'conditions':[" KEPT "," EXPIRED(EARLIER) "]}");
  KUBE_OWNED json_t *patch = sandbox_status_patch(sandbox, status);
  assert_json(patch, "{'status':{'selector':null,'podIPs':null,'nodeName':null,'service':null,'serviceFQDN':null}}");
  /* once wiped it stays so */
  kube_set(sandbox, "status", json_incref(status));
  KUBE_OWNED json_t *again = sandbox_status_wiped(sandbox, NOW);
  KUBE_OWNED json_t *nothing = sandbox_status_patch(sandbox, again);
  assert_null(nothing);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_suspended),
      cmocka_unit_test(test_finished),
      cmocka_unit_test(test_pod_scheduled),
      cmocka_unit_test(test_ready_first_match_wins),
      cmocka_unit_test(test_order_of_conditions),
      cmocka_unit_test(test_transition_time_follows_status_only),
      cmocka_unit_test(test_fields),
      cmocka_unit_test(test_unknown_service_stays_in_the_status),
      cmocka_unit_test(test_old_news),
      cmocka_unit_test(test_patch),
      cmocka_unit_test(test_a_pass_that_sees_nothing_new_writes_nothing),
      cmocka_unit_test(test_expiry),
      cmocka_unit_test(test_marking),
      cmocka_unit_test(test_wiping),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
