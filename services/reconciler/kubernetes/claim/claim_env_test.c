#include "services/reconciler/kubernetes/claim/claim_env.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

/* One init container, two regular ones; the second takes its environment from elsewhere as well. */
#define PODS(first, second)                                                                       \
  "{'initContainers':[{'name':'init'}],'containers':[{'name':'a','env':[" first "]},{'name':'b'," \
  "'envFrom':[{'prefix':'P'}]" second "}]}"
#define OLD "{'name':'OLD','valueFrom':{'fieldRef':{'fieldPath':'metadata.name'}}}"

static const struct {
  const char *policy, *env;
  ClaimReject reject;
  /* The Pod's spec, or the error's text. */
  const char *wanted;
} CASES[] = {
    {"Disallowed", "[]", CLAIM_ACCEPTED, PODS(OLD, "")},
    {"Disallowed", "[{'name':'X','value':'1'}]", CLAIM_ENV_REJECTED,
     "environment variable injection rejected: the template does not allow environment variables"},
    {"", "[{'name':'X','value':'1'}]", CLAIM_ENV_REJECTED,
     "environment variable injection rejected: the template does not allow environment variables"},
    {"Allowed", "[{'name':'X','value':'1'},{'name':'Y','value':''}]", CLAIM_ACCEPTED,
     PODS(OLD ",{'name':'X','value':'1'},{'name':'Y','value':''}", "")},
    /* those that name the container come first */
    {"Allowed", "[{'name':'X','value':'1'},{'name':'Y','value':'2','containerName':'a'}]", CLAIM_ACCEPTED,
     PODS(OLD ",{'name':'Y','value':'2'},{'name':'X','value':'1'}", "")},
    {"Allowed", "[{'name':'OLD','value':'1'}]", CLAIM_FAILED,
     "environment variable override is not allowed by the template policy for variable \"OLD\""},
    {"Allowed", "[{'name':'X','value':'1','containerName':'b'}]", CLAIM_ENV_REJECTED,
     "environment variable injection rejected: container \"b\" uses envFrom, and the template allows no overrides"},
    {"Allowed", "[{'name':'X','value':'1','containerName':'c'}]", CLAIM_FAILED,
     "target container \"c\" not found in template for environment variable \"X\""},
    {"Overrides", "[{'name':'OLD','value':'1'}]", CLAIM_ACCEPTED, PODS("{'name':'OLD','value':'1'}", "")},
    {"Overrides", "[{'name':'X','value':'1','containerName':'b'}]", CLAIM_ACCEPTED,
     PODS(OLD, ",'env':[{'name':'X','value':'1'}]")},
    {"Overrides", "[{'name':'X','value':'1','containerName':'b'},{'name':'X','value':'2','containerName':'b'}]",
     CLAIM_ACCEPTED, PODS(OLD, ",'env':[{'name':'X','value':'2'}]")},
    {"Overrides", "[{'name':'X','value':'1','containerName':'zz'}]", CLAIM_FAILED,
     "target container \"zz\" not found in template for environment variable \"X\""},
};

static void test_injection(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':{'env':%s}}", CASES[i].env);
    KUBE_OWNED json_t *template = quoted("{'spec':{'envVarsInjectionPolicy':'%s'}}", CASES[i].policy);
    KUBE_OWNED json_t *pod_spec = quoted(PODS(OLD, ""));
    ClaimReject reject;
    Error err = {0};
    int r = claim_env_apply(pod_spec, claim, template, &reject, &err);
    assert_int_equal(reject, CASES[i].reject);
    assert_int_equal(r, reject == CLAIM_ACCEPTED ? 0 : -1);
    if (r == 0)
      assert_json(pod_spec, CASES[i].wanted);
    else
      assert_string_equal(err.message, CASES[i].wanted);
  }
}

static void test_init_container(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'spec':{'env':[{'name':'X','value':'1','containerName':'init'}]}}");
  KUBE_OWNED json_t *template = quoted("{'spec':{'envVarsInjectionPolicy':'Allowed'}}");
  KUBE_OWNED json_t *pod_spec = quoted(PODS("", ""));
  ClaimReject reject;
  assert_int_equal(claim_env_apply(pod_spec, claim, template, &reject, NULL), 0);
  assert_json(json_object_get(pod_spec, "initContainers"), "[{'name':'init','env':[{'name':'X','value':'1'}]}]");
}

static void test_no_container(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'spec':{'env':[{'name':'X','value':'1'}]}}");
  KUBE_OWNED json_t *template = quoted("{'spec':{'envVarsInjectionPolicy':'Allowed'}}");
  KUBE_OWNED json_t *pod_spec = json_object();
  ClaimReject reject;
  assert_int_equal(claim_env_apply(pod_spec, claim, template, &reject, NULL), -1);
  assert_int_equal(reject, CLAIM_FAILED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_injection),
      cmocka_unit_test(test_init_container),
      cmocka_unit_test(test_no_container),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
