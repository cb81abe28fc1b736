#include "services/reconciler/kubernetes/claim/claim_rules.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define FINISHED(status, at) "'conditions':[{'type':'Finished','status':'" status "','lastTransitionTime':'" at "'}]"

static void test_expiry(void **s) {
  static const struct {
    const char *lifecycle, *status, *at; /* at NULL: never */
  } CASES[] = {
      {"null", "", NULL},
      {"{}", FINISHED("True", "2026-01-01T00:00:00Z"), NULL},
      {"{'shutdownTime':'2026-01-01T00:00:10Z'}", "", "2026-01-01T00:00:10Z"},
      {"{'ttlSecondsAfterFinished':5}", "", NULL},
      {"{'ttlSecondsAfterFinished':5}", FINISHED("False", "2026-01-01T00:00:00Z"), NULL},
      {"{'ttlSecondsAfterFinished':5}", FINISHED("True", "2026-01-01T00:00:00Z"), "2026-01-01T00:00:05Z"},
      {"{'ttlSecondsAfterFinished':0}", FINISHED("True", "2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z"},
      {"{'ttlSecondsAfterFinished':5,'shutdownTime':'2026-01-01T00:00:10Z'}", FINISHED("True", "2026-01-01T00:00:00Z"),
       "2026-01-01T00:00:05Z"},
      {"{'ttlSecondsAfterFinished':50,'shutdownTime':'2026-01-01T00:00:10Z'}", FINISHED("True", "2026-01-01T00:00:00Z"),
       "2026-01-01T00:00:10Z"},
      {"{'ttlSecondsAfterFinished':50,'shutdownTime':'2026-01-01T00:00:10Z'}", "", "2026-01-01T00:00:10Z"},
      {"{'ttlSecondsAfterFinished':-1}", FINISHED("True", "2026-01-01T00:00:00Z"), NULL},
      {"{'ttlSecondsAfterFinished':5}", FINISHED("True", "soon"), NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':{'lifecycle':%s},'status':{%s}}", CASES[i].lifecycle, CASES[i].status);
    int64_t wanted = CASES[i].at ? kube_parse_time(CASES[i].at) : -1, at, now = wanted < 0 ? INT64_MAX : wanted;
    bool expired = claim_expiry(claim, NULL, now, &at);
    if (expired != (wanted >= 0) || at != wanted)
      fail_msg("%s %s: %lld", CASES[i].lifecycle, CASES[i].status, (long long)at);
    assert_false(claim_expiry(claim, NULL, now - 1, &at));
  }
}

static void test_expiry_by_the_status_to_come(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'spec':{'lifecycle':{'ttlSecondsAfterFinished':0}}}");
  KUBE_OWNED json_t *status = quoted("{" FINISHED("True", "2026-01-01T00:00:00Z") "}");
  int64_t at, now = kube_parse_time("2026-01-01T00:00:00Z");
  assert_false(claim_expiry(claim, NULL, now, &at));
  assert_true(claim_expiry(claim, kube_get(status, "conditions"), now, &at));
}

static void test_shutdown_policy(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'spec':{'lifecycle':{'shutdownPolicy':'DeleteForeground'}}}");
  assert_string_equal(claim_shutdown_policy(claim), "DeleteForeground");
  assert_string_equal(claim_shutdown_policy(NULL), "Retain");
}

static void test_needs_cold(void **s) {
  static const struct {
    const char *spec;
    bool cold, env;
  } CASES[] = {{"{}", false, false},
               {"{'env':[],'volumeClaimTemplates':[]}", false, false},
               {"{'env':[{'name':'a','value':'b'}]}", false, true},
               {"{'volumeClaimTemplates':[{'metadata':{'name':'v'}}]}", true, false}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':%s}", CASES[i].spec);
    assert_int_equal(claim_needs_cold(claim), CASES[i].cold);
    assert_int_equal(claim_has_env(claim), CASES[i].env);
  }
}

static void test_assigned_name(void **s) {
  static const char *const CASES[][2] = {
      {"{}", NULL},
      {"{'annotations':{'agents.x-k8s.io/sandbox-name':'a'}}", "a"},
      {"{'labels':{'agents.x-k8s.io/sandbox-name':'l'}}", "l"},
      {"{'annotations':{'agents.x-k8s.io/sandbox-name':'a'},'labels':{'agents.x-k8s.io/sandbox-name':'l'}}", "a"},
      {"{'annotations':{'agents.x-k8s.io/sandbox-name':''}}", NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'metadata':%s}", CASES[i][0]);
    assert_true(str_equal(claim_assigned_name(claim), CASES[i][1]));
  }
}

static void test_origin(void **s) {
  static const struct {
    const char *state, *pool;
    bool with_pool, without_pool;
    const char *template;
  } CASES[] = {
      {NULL, "pool", false, false, NULL},
      {NULL, "shadow-pool-t", false, true, "t"},
      {NULL, "shadow-pool-", false, true, NULL},
      {"{\\'spec\\':{\\'sandboxTemplateRef\\':{\\'name\\':\\'t1\\'}}}", "shadow-pool-t1", true, true, "t1"},
      {"{\\'spec\\':{\\'sandboxTemplateRef\\':{\\'name\\':\\'t1\\'},\\'warmpool\\':\\'p\\'}}", "p", true, true, "t1"},
      {"not json", "shadow-pool-t2", true, true, "t2"},
      {"not json", "p", true, true, NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'metadata':{},'spec':{'warmPoolRef':{'name':'%s'}}}", CASES[i].pool);
    KUBE_OWNED json_t *state = CASES[i].state ? quoted("'%s'", CASES[i].state) : NULL;
    if (state)
      kube_set_annotation(claim, "api.agents.x-k8s.io/v1alpha1-sandboxclaim-state", json_string_value(state));
    CLEANUP(str_freep) char *template = claim_template_of_origin(claim);
    assert_int_equal(claim_is_v1alpha1_origin(claim, true), CASES[i].with_pool);
    assert_int_equal(claim_is_v1alpha1_origin(claim, false), CASES[i].without_pool);
    if (!str_equal(template, CASES[i].template))
      fail_msg("%zu: %s", i, template);
  }
}

static void test_origin_without_pool(void **s) {
  static const struct {
    const char *warmpool, *pool;
    bool cold;
  } CASES[] = {{"none", "shadow-pool-t", true},
               {"default", "shadow-pool-t", false},
               {"p", "p", false},
               /* moved to a pool by a v1beta1 client since */
               {"none", "p", false}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'metadata':{},'spec':{'warmPoolRef':{'name':'%s'}}}", CASES[i].pool);
    KUBE_OWNED json_t *origin =
        quoted("{'spec':{'sandboxTemplateRef':{'name':'t'},'warmpool':'%s'}}", CASES[i].warmpool);
    CLEANUP(str_freep) char *state = json_dumps(origin, 0);
    kube_set_annotation(claim, "api.agents.x-k8s.io/v1alpha1-sandboxclaim-state", state);
    assert_int_equal(claim_needs_cold(claim), CASES[i].cold);
  }
}

static void test_rejects(void **s) {
  static const struct {
    ClaimReject reject;
    const char *reason;
    bool is_final;
    int64_t retry_ms;
  } CASES[] = {
      {CLAIM_TEMPLATE_NOT_FOUND, "TemplateNotFound", false, 60000},
      {CLAIM_POOL_NOT_FOUND, "WarmPoolNotFound", false, 60000},
      {CLAIM_ADOPTION_CONFLICT, "AdoptionConflict", false, 0},
      {CLAIM_CREATE_PENDING, "SandboxCreatePending", false, 200},
      {CLAIM_INVALID_METADATA, "InvalidMetadata", true, 0},
      {CLAIM_ENV_REJECTED, "EnvVarsInjectionRejected", true, 0},
      {CLAIM_NOT_OWNED, "ClaimExpired", true, 0},
      {CLAIM_VOLUMES_REJECTED, "VolumeClaimTemplatesError", true, 0},
      {CLAIM_QUOTA_EXCEEDED, "QuotaExceeded", false, 2000},
      {CLAIM_FAILED, "ReconcilerError", false, 0},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    assert_string_equal(claim_reject_reason(CASES[i].reject), CASES[i].reason);
    assert_int_equal(claim_reject_is_final(CASES[i].reject), CASES[i].is_final);
    assert_int_equal(claim_reject_retry_ms(CASES[i].reject), CASES[i].retry_ms);
  }
  assert_null(claim_reject_reason(CLAIM_ACCEPTED));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_expiry),
      cmocka_unit_test(test_expiry_by_the_status_to_come),
      cmocka_unit_test(test_shutdown_policy),
      cmocka_unit_test(test_needs_cold),
      cmocka_unit_test(test_assigned_name),
      cmocka_unit_test(test_origin),
      cmocka_unit_test(test_origin_without_pool),
      cmocka_unit_test(test_rejects),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
