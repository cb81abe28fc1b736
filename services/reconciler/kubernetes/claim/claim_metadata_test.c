#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#include "services/reconciler/kubernetes/claim/claim_rules.h"

#define TEMPLATE                                                                \
  "{'spec':{'podTemplate':{'metadata':{'labels':{'sandbox.users.io/team':'a'}," \
  "'annotations':{'note':'x'}}}}}"

static void test_rules(void **s) {
  static const struct {
    const char *labels, *annotations;
    ClaimReject reject;
  } CASES[] = {
      {"{}", "{}", CLAIM_ACCEPTED},
      {"{'sandbox.users.io/x':'y'}", "{'anything':'goes, here'}", CLAIM_ACCEPTED},
      {"{'a.sandbox.users.io/x':''}", "{}", CLAIM_ACCEPTED},
      /* labels */
      {"{'x':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'notsandbox.users.io/x':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'users.io/x':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'example.com/x':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'app':'sandbox-router'}", "{}", CLAIM_INVALID_METADATA},
      {"{'app':'Sandbox-Router'}", "{}", CLAIM_INVALID_METADATA},
      {"{'sandbox.users.io/':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'sandbox.users.io/a/b':'y'}", "{}", CLAIM_INVALID_METADATA},
      {"{'sandbox.users.io/x':'no spaces'}", "{}", CLAIM_INVALID_METADATA},
      {"{'agents.x-k8s.io/claim-uid':'y'}", "{}", CLAIM_INVALID_METADATA},
      /* annotations */
      {"{}", "{'example.com/x':'y'}", CLAIM_ACCEPTED},
      {"{}", "{'kubernetes.io/x':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'pod.kubernetes.io/x':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'k8s.io/x':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'net.k8s.io/x':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'agents.x-k8s.io/pod-name':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'extensions.agents.x-k8s.io/x':'y'}", CLAIM_INVALID_METADATA},
      {"{}", "{'x-k8s.io/x':'y'}", CLAIM_ACCEPTED},
      {"{}", "{'notkubernetes.io/x':'y'}", CLAIM_ACCEPTED},
      {"{}", "{'cluster-autoscaler.kubernetes.io/safe-to-evict':'false'}", CLAIM_ACCEPTED},
      {"{}", "{'cluster-autoscaler.kubernetes.io/other':'false'}", CLAIM_INVALID_METADATA},
      {"{}", "{'not a key':'y'}", CLAIM_INVALID_METADATA},
      /* against the template */
      {"{'sandbox.users.io/team':'a'}", "{'note':'x'}", CLAIM_ACCEPTED},
      {"{'sandbox.users.io/team':'b'}", "{}", CLAIM_FAILED},
      {"{}", "{'note':'y'}", CLAIM_FAILED},
      /* a wrong key comes before a conflict */
      {"{'sandbox.users.io/team':'b'}", "{'k8s.io/x':'y'}", CLAIM_INVALID_METADATA},
  };
  KUBE_OWNED json_t *template = quoted(TEMPLATE);
  CLEANUP(claim_domains_deinit) ClaimDomains domains;
  claim_domains_parse(&domains, NULL);
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':{'additionalPodMetadata':{'labels':%s,'annotations':%s}}}",
                                      CASES[i].labels, CASES[i].annotations);
    ClaimReject reject;
    Error err = {0};
    int r = claim_check_metadata(claim, template, &domains, &reject, &err);
    if (r != (CASES[i].reject ? -1 : 0) || reject != CASES[i].reject)
      fail_msg("%s %s: %d %s", CASES[i].labels, CASES[i].annotations, reject, err.message);
    if (reject == CLAIM_INVALID_METADATA)
      assert_true(str_starts_with(err.message, "invalid additionalPodMetadata: "));
    if (reject == CLAIM_FAILED)
      assert_true(str_starts_with(err.message, "metadata override conflict: "));
  }
}

/* Whoever is refused is told where domains are allowed, by the names that installations have for it. */
static void test_refusal_says_where_domains_are_allowed(void **s) {
  static const char HINT[] = "(configure the allowed-label-domains key of the agent-sandbox-config ConfigMap in the "
                             "controller namespace; default: sandbox.users.io)";
  static const struct {
    const char *key, *words;
  } CASES[] = {
      {"studio.example.com/role", "label domain \"studio.example.com\" is not in the allowlist"},
      {"role", "label \"role\": it needs a label domain that is in the allowlist"},
  };
  CLEANUP(claim_domains_deinit) ClaimDomains domains;
  claim_domains_parse(&domains, NULL);
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':{'additionalPodMetadata':{'labels':{'%s':'x'}}}}", CASES[i].key);
    ClaimReject reject;
    Error err = {0};
    assert_int_equal(claim_check_metadata(claim, NULL, &domains, &reject, &err), -1);
    assert_non_null(strstr(err.message, CASES[i].words));
    assert_non_null(strstr(err.message, HINT));
    assert_non_null(strstr(err.message, CASES[i].key));
  }
}

static void test_nothing_to_check(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'spec':{}}");
  KUBE_OWNED json_t *asking = quoted("{'spec':{'additionalPodMetadata':{'annotations':{'a':'b'}}}}");
  CLEANUP(claim_domains_deinit) ClaimDomains domains;
  claim_domains_parse(&domains, "");
  ClaimReject reject;
  assert_int_equal(claim_check_metadata(claim, NULL, &domains, &reject, NULL), 0);
  assert_int_equal(claim_check_metadata(asking, NULL, &domains, &reject, NULL), 0);
  assert_false(claim_has_metadata(claim));
  assert_true(claim_has_metadata(asking));
}

static void check_domains(const char *text, const char *joined) {
  CLEANUP(claim_domains_deinit) ClaimDomains domains;
  claim_domains_parse(&domains, text);
  CLEANUP(buf_deinit) Buf is = BUF_INIT(256);
  for (size_t i = 0; i < domains.n; i++)
    assert_int_equal(buf_printf(&is, "%s%s", i ? " " : "", domains.names[i]), 0);
  assert_string_equal(buf_str(&is), joined);
}

static void test_domains(void **s) {
  check_domains(NULL, "sandbox.users.io");
  check_domains(" ,\n,", "sandbox.users.io");
  check_domains("Example.COM", "example.com");
  check_domains("a.b, c.d\r\ne.f\n", "a.b c.d e.f");
  check_domains("a,b,c,d,e", "a b c d e");
}

static void test_allowed_domains_replace_the_default(void **s) {
  KUBE_OWNED json_t *own = quoted("{'spec':{'additionalPodMetadata':{'labels':{'sub.example.com/x':'y'}}}}");
  KUBE_OWNED json_t *other = quoted("{'spec':{'additionalPodMetadata':{'labels':{'sandbox.users.io/x':'y'}}}}");
  CLEANUP(claim_domains_deinit) ClaimDomains domains;
  claim_domains_parse(&domains, "a.org,example.com");
  ClaimReject reject;
  assert_int_equal(claim_check_metadata(own, NULL, &domains, &reject, NULL), 0);
  assert_int_equal(claim_check_metadata(other, NULL, &domains, &reject, NULL), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rules),
      cmocka_unit_test(test_nothing_to_check),
      cmocka_unit_test(test_domains),
      cmocka_unit_test(test_refusal_says_where_domains_are_allowed),
      cmocka_unit_test(test_allowed_domains_replace_the_default),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
