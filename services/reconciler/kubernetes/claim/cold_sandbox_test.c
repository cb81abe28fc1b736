#include "services/reconciler/kubernetes/claim/cold_sandbox.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define OWNER                                                                                                         \
  "{'apiVersion':'extensions.agents.x-k8s.io/v1beta1','kind':'SandboxClaim','name':'c','uid':'cu','controller':true," \
  "'blockOwnerDeletion':true}"
#define TEMPLATE_WITH(more)                                                                                        \
  "{'metadata':{'name':'python-runtime-template'},'spec':{" more "'podTemplate':{'metadata':{'labels':{'a':'b'}}," \
  "'spec':{'containers':[{'name':'x'}]}}}}"

static void test_plain(void **s) {
  KUBE_OWNED json_t *claim = quoted("{'metadata':{'name':'c','namespace':'ns','uid':'cu'},"
                                    "'spec':{'lifecycle':{'shutdownTime':'2026-01-01T00:00:00Z'}}}");
  KUBE_OWNED json_t *template = quoted(TEMPLATE_WITH(""));
  ClaimReject reject;
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, "c", false, &reject, NULL);
  assert_int_equal(reject, CLAIM_ACCEPTED);
  assert_json(sandbox,
              "{'apiVersion':'agents.x-k8s.io/v1beta1','kind':'Sandbox','metadata':{'name':'c','namespace':'ns',"
              "'ownerReferences':[" OWNER "],'labels':{'agents.x-k8s.io/claim-uid':'cu',"
              "'agents.x-k8s.io/launch-type':'cold',"
              "'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'},"
              "'annotations':{'agents.x-k8s.io/sandbox-template-ref':'python-runtime-template'}},"
              "'spec':{'podTemplate':{'metadata':{'labels':{'a':'b','agents.x-k8s.io/claim-uid':'cu',"
              "'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'}},'spec':{'containers':[{'name':'x'}],"
              "'automountServiceAccountToken':false,'dnsPolicy':'None','dnsConfig':{'nameservers':['8.8.8.8',"
              "'1.1.1.1']}}}}}");
}

static void test_all_that_a_claim_may_add(void **s) {
  KUBE_OWNED json_t *claim =
      quoted("{'metadata':{'name':'c','namespace':'ns','uid':'cu','labels':{'agents.x-k8s.io/created-by':'go-client'},"
             "'annotations':{'opentelemetry.io/trace-context':'tc'}},'spec':{'env':[{'name':'E','value':'1'}],"
             "'volumeClaimTemplates':[{'metadata':{'name':'v'}}],"
             "'additionalPodMetadata':{'annotations':{'n':'1'}}}}");
  KUBE_OWNED json_t *template = quoted(TEMPLATE_WITH("'service':false,'envVarsInjectionPolicy':'Allowed',"
                                                     "'volumeClaimTemplatesPolicy':'Allowed',"));
  KUBE_OWNED json_t *before = json_deep_copy(template);
  ClaimReject reject;
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, "c", true, &reject, NULL);
  assert_string_equal(kube_label(sandbox, "agents.x-k8s.io/created-by"), "go-client");
  assert_string_equal(kube_annotation(sandbox, "opentelemetry.io/trace-context"), "tc");
  assert_json(kube_get(sandbox, "spec.podTemplate.metadata"),
              "{'labels':{'a':'b','agents.x-k8s.io/claim-uid':'cu',"
              "'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487',"
              "'agents.x-k8s.io/created-by':'go-client'},'annotations':{'n':'1'}}");
  assert_json(kube_get(sandbox, "spec.podTemplate.spec.containers"), "[{'name':'x','env':[{'name':'E','value':'1'}]}]");
  assert_json(kube_get(sandbox, "spec.volumeClaimTemplates"), "[{'metadata':{'name':'v'}}]");
  assert_json(kube_get(sandbox, "spec.service"), "true");
  assert_true(json_equal(template, before));
}

static void test_rejected(void **s) {
  static const struct {
    const char *spec;
    ClaimReject reject;
  } CASES[] = {
      {"{'env':[{'name':'E','value':'1'}]}", CLAIM_ENV_REJECTED},
      {"{'volumeClaimTemplates':[{'metadata':{'name':'v'}}]}", CLAIM_VOLUMES_REJECTED},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'metadata':{'name':'c','namespace':'ns','uid':'cu'},'spec':%s}", CASES[i].spec);
    KUBE_OWNED json_t *template = quoted(TEMPLATE_WITH(""));
    ClaimReject reject;
    Error err = {0};
    assert_null(cold_sandbox_build(claim, template, "c", false, &reject, &err));
    assert_int_equal(reject, CASES[i].reject);
    assert_true(*err.message);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_all_that_a_claim_may_add),
      cmocka_unit_test(test_rejected),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
