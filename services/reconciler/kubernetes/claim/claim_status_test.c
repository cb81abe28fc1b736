#include "services/reconciler/kubernetes/claim/claim_status.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

enum { NOW = 1767225600 }; /* 2026-01-01T00:00:00Z */

#define BOUND(conditions) "{'metadata':{'name':'s'},'status':{'podIPs':['10.0.0.1'],'conditions':[" conditions "]}}"
#define READY                                                                              \
  "{'type':'Ready','status':'True','reason':'DependenciesReady','message':'Pod is Ready'," \
  "'lastTransitionTime':'2025-12-31T00:00:00Z','observedGeneration':9}"
#define SANDBOX_EXPIRED                                                                         \
  "{'type':'Ready','status':'False','reason':'SandboxExpired','message':'Sandbox has expired'," \
  "'lastTransitionTime':'2025-12-31T00:00:00Z'}"

#define COLD(condition)                                                           \
  "{'metadata':{'name':'s','annotations':{'sandplane.dev/cold-start-reason':'no " \
  "runtime'}},'status':{'conditions':[" condition "]}}"
#define PENDING                                                                                                  \
  "{'type':'Ready','status':'False','reason':'DependenciesNotReady','message':'Pod exists with phase: Pending'," \
  "'lastTransitionTime':'2025-12-31T00:00:00Z'}"

/* status: what the claim says so far. */
static json_t *build(const char *status, const char *sandbox, ClaimReject reject, const char *message, bool expired) {
  KUBE_OWNED json_t *claim =
      quoted("{'metadata':{'name':'c','generation':4,'resourceVersion':'7'},'status':%s}", status);
  KUBE_OWNED json_t *bound = sandbox ? quoted("%s", sandbox) : NULL;
  ClaimView view = {.claim = claim,
                    .sandbox = bound,
                    .reject = reject,
                    .message = message,
                    .expired = expired,
                    .template_name = "t",
                    .pool_name = "p",
                    .now_ms = NOW * 1000LL};
  return claim_status_build(&view);
}

static const struct {
  ClaimReject reject;
  const char *message;
  bool expired;
  const char *sandbox;
  const char *status, *reason, *text, *since; /* since NULL: now */
} READY_CASES[] = {
    {CLAIM_TEMPLATE_NOT_FOUND, NULL, false, NULL, "False", "TemplateNotFound", "SandboxTemplate \"t\" not found", NULL},
    {CLAIM_POOL_NOT_FOUND, NULL, false, NULL, "False", "WarmPoolNotFound", "SandboxWarmPool \"p\" not found", NULL},
    {CLAIM_ADOPTION_CONFLICT, "lost it", false, NULL, "False", "AdoptionConflict",
     "lost it; the next pass retries from a converged view", NULL},
    {CLAIM_CREATE_PENDING, NULL, false, NULL, "False", "SandboxCreatePending",
     "Sandbox already created; waiting for cache to converge", NULL},
    {CLAIM_INVALID_METADATA, "invalid additionalPodMetadata: x", false, NULL, "False", "InvalidMetadata",
     "invalid additionalPodMetadata: x", NULL},
    {CLAIM_ENV_REJECTED, "environment variable injection rejected: x", false, NULL, "False", "EnvVarsInjectionRejected",
     "environment variable injection rejected: x", NULL},
    {CLAIM_NOT_OWNED, "Not ours", true, NULL, "False", "ClaimExpired", "Claim expired. Not ours; deletion skipped.",
     NULL},
    {CLAIM_VOLUMES_REJECTED, "bad volume", false, NULL, "False", "VolumeClaimTemplatesError", "bad volume", NULL},
    {CLAIM_QUOTA_EXCEEDED, "no room", false, NULL, "False", "QuotaExceeded", "no room", NULL},
    {CLAIM_FAILED, "boom", false, NULL, "False", "ReconcilerError", "Error seen: boom", NULL},
    /* errors beat expiry and the Sandbox, expiry beats the Sandbox */
    {CLAIM_FAILED, "boom", true, BOUND(READY), "False", "ReconcilerError", "Error seen: boom", NULL},
    {CLAIM_ACCEPTED, NULL, true, BOUND(READY), "False", "ClaimExpired", "Claim expired. Sandbox cleanup initiated.",
     NULL},
    {CLAIM_ACCEPTED, NULL, true, NULL, "False", "ClaimExpired", "Claim expired. Sandbox cleanup initiated.", NULL},
    {CLAIM_ACCEPTED, NULL, false, NULL, "False", "SandboxMissing", "Sandbox does not exist", NULL},
    {CLAIM_ACCEPTED, NULL, false, BOUND(SANDBOX_EXPIRED), "False", "SandboxExpired",
     "Underlying Sandbox resource has expired independently of the Claim.", NULL},
    {CLAIM_ACCEPTED, NULL, false, BOUND(READY), "True", "DependenciesReady", "Pod is Ready", "2025-12-31T00:00:00Z"},
    {CLAIM_ACCEPTED, NULL, false, BOUND(""), "False", "SandboxNotReady", "Sandbox is not ready", NULL},
    /* why it takes a start, for as long as it is waited for */
    {CLAIM_ACCEPTED, NULL, false, COLD(PENDING), "False", "DependenciesNotReady",
     "Pod exists with phase: Pending (started cold, as the claim has env: no runtime)", "2025-12-31T00:00:00Z"},
    {CLAIM_ACCEPTED, NULL, false, COLD(READY), "True", "DependenciesReady", "Pod is Ready", "2025-12-31T00:00:00Z"},
    {CLAIM_ACCEPTED, NULL, false, BOUND(PENDING), "False", "DependenciesNotReady", "Pod exists with phase: Pending",
     "2025-12-31T00:00:00Z"},
};

static void test_ready(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(READY_CASES); i++) {
    KUBE_OWNED json_t *status =
        build("null", READY_CASES[i].sandbox, READY_CASES[i].reject, READY_CASES[i].message, READY_CASES[i].expired);
    const json_t *ready = kube_condition(kube_get(status, "conditions"), "Ready");
    assert_string_equal(kube_text(ready, "status"), READY_CASES[i].status);
    assert_string_equal(kube_text(ready, "reason"), READY_CASES[i].reason);
    assert_string_equal(kube_text(ready, "message"), READY_CASES[i].text);
    const char *since = READY_CASES[i].since ? READY_CASES[i].since : "2026-01-01T00:00:00Z";
    assert_string_equal(kube_text(ready, "lastTransitionTime"), since);
    assert_int_equal(kube_int(ready, "observedGeneration", 0), 4);
  }
}

static void test_whole_status(void **s) {
  KUBE_OWNED json_t *status = build("null", BOUND(READY), CLAIM_ACCEPTED, NULL, false);
  assert_json(status, "{'conditions':[{'type':'Ready','status':'True','reason':'DependenciesReady',"
                      "'message':'Pod is Ready',"
                      "'lastTransitionTime':'2025-12-31T00:00:00Z','observedGeneration':4}],"
                      "'sandbox':{'name':'s','podIPs':['10.0.0.1']}}");
}

/* Between two messages of the same status the time stands. */
static void test_transition_time(void **s) {
  KUBE_OWNED json_t *status = build("{'conditions':[{'type':'Ready','status':'False','reason':'SandboxMissing',"
                                    "'message':'Sandbox does not exist',"
                                    "'lastTransitionTime':'2025-01-01T00:00:00Z','observedGeneration':4}]}",
                                    BOUND(""), CLAIM_ACCEPTED, NULL, false);
  const json_t *ready = kube_condition(kube_get(status, "conditions"), "Ready");
  assert_string_equal(kube_text(ready, "reason"), "SandboxNotReady");
  assert_string_equal(kube_text(ready, "lastTransitionTime"), "2025-01-01T00:00:00Z");
}

#define FINISHED(reason)                                                                           \
  "{'type':'Finished','status':'True','reason':'" reason "','message':'m','observedGeneration':2," \
  "'lastTransitionTime':'2025-12-30T00:00:00Z'}"

static void test_finished(void **s) {
  static const struct {
    const char *old, *sandbox;
    bool expired;
    const char *wanted; /* NULL: none */
  } CASES[] = {
      {"null", BOUND(READY "," FINISHED("PodFailed")), false, FINISHED("PodFailed")},
      {"{'conditions':[" FINISHED("PodSucceeded") "]}", BOUND(FINISHED("PodFailed")), false, FINISHED("PodFailed")},
      {"{'conditions':[" FINISHED("PodSucceeded") "]}", BOUND(READY), false, NULL},
      {"{'conditions':[" FINISHED("PodSucceeded") "]}", BOUND(READY), true, NULL},
      {"{'conditions':[" FINISHED("PodSucceeded") "]}", NULL, false, NULL},
      {"{'conditions':[" FINISHED("PodSucceeded") "]}", NULL, true, FINISHED("PodSucceeded")},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *status = build(CASES[i].old, CASES[i].sandbox, CLAIM_ACCEPTED, NULL, CASES[i].expired);
    assert_json(kube_condition(kube_get(status, "conditions"), "Finished"), CASES[i].wanted);
  }
}

static void test_conditions_are_sorted(void **s) {
  KUBE_OWNED json_t *status = build("{'conditions':[{'type':'Zeta'},{'type':'Ready','status':'False'},"
                                    "{'type':'Alpha'}]}",
                                    BOUND(FINISHED("PodFailed")), CLAIM_ACCEPTED, NULL, false);
  static const char *const TYPES[] = {"Alpha", "Finished", "Ready", "Zeta"};
  const json_t *conditions = kube_get(status, "conditions");
  assert_int_equal(json_array_size(conditions), ARRAY_LEN(TYPES));
  for (size_t i = 0; i < ARRAY_LEN(TYPES); i++)
    assert_string_equal(kube_text(json_array_get(conditions, i), "type"), TYPES[i]);
}

static void test_sandbox(void **s) {
  static const struct {
    const char *old, *sandbox;
    ClaimReject reject;
    const char *wanted;
  } CASES[] = {
      {"null", NULL, CLAIM_ACCEPTED, "{}"},
      {"{'sandbox':{'name':'s','podIPs':['1']}}", NULL, CLAIM_ACCEPTED, "{}"},
      {"{'sandbox':{'name':'s','podIPs':['1']}}", NULL, CLAIM_NOT_OWNED, "{}"},
      {"{'sandbox':{'name':'s','podIPs':['1']}}", NULL, CLAIM_FAILED, "{'name':'s','podIPs':['1']}"},
      {"null", NULL, CLAIM_FAILED, "{}"},
      {"{'sandbox':{'name':'old','podIPs':['1']}}", "{'metadata':{'name':'s'}}", CLAIM_ACCEPTED, "{'name':'s'}"},
      {"{'sandbox':{'name':'old'}}", BOUND(READY), CLAIM_FAILED, "{'name':'s','podIPs':['10.0.0.1']}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *status = build(CASES[i].old, CASES[i].sandbox, CASES[i].reject, "x", false);
    assert_json(kube_get(status, "sandbox"), CASES[i].wanted);
  }
}

static void test_patch(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'metadata':{'resourceVersion':'7'},'status':{'conditions':[],"
                                    "'sandbox':{'name':'s','podIPs':['1']}}}");
  KUBE_OWNED json_t *same = json_deep_copy(kube_get(claim, "status"));
  assert_null(claim_status_patch(claim, same));
  KUBE_OWNED json_t *next = quoted("{'conditions':[],'sandbox':{}}");
  KUBE_OWNED json_t *patch = claim_status_patch(claim, next);
  assert_json(patch, "{'metadata':{'resourceVersion':'7'},'status':{'sandbox':{'name':null,'podIPs':null}}}");
  KUBE_OWNED json_t *fresh = quoted("{'metadata':{'resourceVersion':'8'}}");
  KUBE_OWNED json_t *first = claim_status_patch(fresh, next);
  assert_json(first, "{'metadata':{'resourceVersion':'8'},'status':{'conditions':[],'sandbox':{}}}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ready),
      cmocka_unit_test(test_whole_status),
      cmocka_unit_test(test_transition_time),
      cmocka_unit_test(test_finished),
      cmocka_unit_test(test_conditions_are_sorted),
      cmocka_unit_test(test_sandbox),
      cmocka_unit_test(test_patch),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
