#include "services/reconciler/kubernetes/template/network_policy.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

static json_t *build(const char *spec) {
  KUBE_OWNED json_t *template =
      quoted("{'metadata':{'name':'python-runtime-template','namespace':'ns','uid':'tu'},'spec':%s}", spec);
  return network_policy_build(template);
}

#define SELECTOR "'podSelector':{'matchLabels':{'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'}}"

static void test_default(void **s) {
  KUBE_OWNED json_t *policy = build("{}");
  assert_json(policy,
              "{'apiVersion':'networking.k8s.io/v1','kind':'NetworkPolicy',"
              "'metadata':{'name':'python-runtime-template-network-policy',"
              "'namespace':'ns','ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/v1beta1',"
              "'kind':'SandboxTemplate',"
              "'name':'python-runtime-template','uid':'tu','controller':true,'blockOwnerDeletion':true}]},"
              "'spec':{" SELECTOR ",'policyTypes':['Ingress','Egress'],"
              "'ingress':[{'from':["
              "{'namespaceSelector':{'matchLabels':{'kubernetes.io/metadata.name':'agent-sandbox-system'}},"
              "'podSelector':{'matchLabels':{'app':'sandbox-router'}}}]}],"
              "'egress':[{'to':[{'ipBlock':{'cidr':'0.0.0.0/0','except':['10.0.0.0/8','172.16.0.0/12','192.168.0.0/16',"
              "'169.254.0.0/16']}},{'ipBlock':{'cidr':'::/0','except':['fc00::/7','fe80::/10']}}]}]}}");
}

/* What is cut is told apart by its hash, and is a name still. */
static void test_names(void **s) {
  static const struct { size_t len, want_len; } CASES[] = {{1, 16}, {238, 253}, {239, 253}, {253, 253}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    char name[254];
    memset(name, 'a', CASES[i].len);
    name[CASES[i].len] = 0;
    KUBE_OWNED json_t *template = quoted("{'metadata':{'name':'%s'}}", name);
    CLEANUP(str_freep) char *policy = network_policy_name(template);
    assert_int_equal(strlen(policy), CASES[i].want_len);
    assert_string_equal(policy + CASES[i].want_len - 15, "-network-policy");
  }
}

static void test_rules_of_the_template(void **s) {
  KUBE_OWNED json_t *policy = build("{'networkPolicyManagement':'Managed',"
                                    "'networkPolicy':{'egress':[{'to':[{'podSelector':{}}]}]}}");
  assert_json(kube_get(policy, "spec"), "{" SELECTOR ",'policyTypes':['Ingress','Egress'],'ingress':[],"
                                        "'egress':[{'to':[{'podSelector':{}}]}]}");
}

static void test_unmanaged(void **s) {
  KUBE_OWNED json_t *policy = build("{'networkPolicyManagement':'Unmanaged','networkPolicy':{}}");
  assert_null(policy);
}

static void test_drift(void **s) {
  static const struct {
    const char *existing, *wanted;
    bool differs;
  } CASES[] = {
      {"{'ingress':[]}", "{}", false},
      {"{'ingress':[{}]}", "{}", true},
      {"{'egress':[{'ports':[{'port':53,'protocol':'TCP'}]}]}", "{'egress':[{'ports':[{'port':53}]}]}", false},
      {"{'egress':[{'ports':[{'port':53,'protocol':'UDP'}]}]}", "{'egress':[{'ports':[{'port':53}]}]}", true},
      {"{'egress':[{'to':[{'podSelector':{}}]}]}", "{'egress':[{'to':[{'podSelector':{'matchLabels':{}}}]}]}", false},
      {"{'egress':[{'to':[{'podSelector':{}}]}]}", "{'egress':[{'to':[{'namespaceSelector':{}}]}]}", true},
      {"{'egress':[{}],'ingress':[{}]}", "{'ingress':[{}],'egress':[{}]}", false},
      {"{'podSelector':{'matchLabels':{'a':'b'}}}", "{'podSelector':{'matchLabels':{'a':'c'}}}", true},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *existing = quoted("{'metadata':{'name':'x'},'spec':%s}", CASES[i].existing);
    KUBE_OWNED json_t *wanted = quoted("{'spec':%s}", CASES[i].wanted);
    if (network_policy_differs(existing, wanted) != CASES[i].differs)
      fail_msg("%s", CASES[i].existing);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),     cmocka_unit_test(test_default), cmocka_unit_test(test_rules_of_the_template),
      cmocka_unit_test(test_unmanaged), cmocka_unit_test(test_drift),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
