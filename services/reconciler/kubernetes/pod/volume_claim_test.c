#include "services/reconciler/kubernetes/pod/volume_claim.h"

#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

static json_t *my_sandbox(void) {
  return quoted("{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1'},'spec':{'volumeClaimTemplates':["
                "{'metadata':{'name':'workspace','labels':{'tier':'a'},'annotations':{'note':'b'},'finalizers':['x']},"
                "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}},"
                "{'metadata':{'name':'cache'},'spec':{}}]}}");
}

static void test_build(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox();
  assert_int_equal(volume_claim_count(sandbox), 2);
  KUBE_OWNED json_t *first = volume_claim_build(sandbox, 0);
  assert_json(first, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'workspace-my-sandbox',"
                     "'namespace':'ns','labels':{'tier':'a','agents.x-k8s.io/sandbox-name-hash':'374de8f5'},"
                     "'annotations':{'note':'b'},'ownerReferences':[" FIXTURE_OWNER "]},"
                     "'spec':{'accessModes':['ReadWriteOnce'],'resources':{'requests':{'storage':'1Gi'}}}}");
  KUBE_OWNED json_t *second = volume_claim_build(sandbox, 1);
  assert_json(second, "{'apiVersion':'v1','kind':'PersistentVolumeClaim','metadata':{'name':'cache-my-sandbox',"
                      "'namespace':'ns','labels':{'agents.x-k8s.io/sandbox-name-hash':'374de8f5'},"
                      "'ownerReferences':[" FIXTURE_OWNER "]},'spec':{}}");
  /* the Sandbox itself is as it was */
  KUBE_OWNED json_t *untouched = my_sandbox();
  assert_true(json_equal(sandbox, untouched));
}

static void test_taken_over(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox();
  kube_set_annotation(sandbox, ANNOTATION_VOLUMES_OF, "p-abcde");
  CLEANUP(str_freep) char *name = volume_claim_name(sandbox, 0);
  assert_string_equal(name, "workspace-p-abcde");
  KUBE_OWNED json_t *theirs = quoted("{'metadata':{'name':'workspace-p-abcde','uid':'v1','ownerReferences':[{'"
                                     "apiVersion':'v1','kind':'ConfigMap','name':"
                                     "'x','uid':'u8'},{'apiVersion':'agents.x-k8s.io/"
                                     "v1beta1','kind':'Sandbox','name':'p-abcde','uid':'u9','controller':"
                                     "true}]}}");
  KUBE_OWNED json_t *patch = volume_claim_move_patch(sandbox, "p-abcde", theirs);
  assert_json(patch,
              "{'metadata':{'uid':'v1','labels':{'agents.x-k8s.io/sandbox-name-hash':'374de8f5'},"
              "'ownerReferences':[{'apiVersion':'v1','kind':'ConfigMap','name':'x','uid':'u8'}," FIXTURE_OWNER "]}}");
  assert_null(volume_claim_move_patch(sandbox, "p-zzzzz", theirs));
  KUBE_OWNED json_t *mine = volume_claim_build(sandbox, 0);
  assert_null(volume_claim_move_patch(sandbox, "p-abcde", mine));
}

static void test_without_templates_there_are_none(void **s) {
  KUBE_OWNED json_t *sandbox = quoted("{'metadata':{'name':'my-sandbox','uid':'u1'},'spec':{}}");
  assert_int_equal(volume_claim_count(sandbox), 0);
}

static void test_decide(void **s) {
  static const struct {
    const char *metadata; /* NULL: there is no claim */
    VolumeClaimAction want;
    const char *patch;
  } CASES[] = {
      {NULL, VOLUME_CLAIM_CREATE, NULL},
      {"'ownerReferences':[" FIXTURE_OWNER "]", VOLUME_CLAIM_NOTHING, NULL},
      {"'labels':{'agents.x-k8s.io/adoptable':'true'}", VOLUME_CLAIM_ADOPT,
       "{'metadata':{'ownerReferences':[" FIXTURE_OWNER "]}}"},
      {"'labels':{'agents.x-k8s.io/sandbox-name-hash':'374de8f5'}", VOLUME_CLAIM_ADOPT,
       "{'metadata':{'ownerReferences':[" FIXTURE_OWNER "]}}"},
      {"'labels':{'tier':'a'}", VOLUME_CLAIM_ERROR, NULL},
      {"'ownerReferences':[" FIXTURE_FOREIGN "]", VOLUME_CLAIM_ERROR, NULL},
  };
  KUBE_OWNED json_t *sandbox = my_sandbox();
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *existing = CASES[i].metadata ? quoted("{'metadata':{'name':'x',%s}}", CASES[i].metadata) : NULL;
    KUBE_OWNED json_t *patch = NULL;
    Error err = {0};
    assert_int_equal(volume_claim_decide(sandbox, existing, &patch, &err), CASES[i].want);
    assert_json(patch, CASES[i].patch);
    assert_int_equal(err.kind != ERROR_NONE, CASES[i].want == VOLUME_CLAIM_ERROR);
  }
}

static void test_error_of_a_foreign_claim(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox();
  KUBE_OWNED json_t *existing = quoted("{'metadata':{'name':'x','ownerReferences':[" FIXTURE_FOREIGN "]}}");
  KUBE_OWNED json_t *patch = NULL;
  Error err = {0};
  assert_int_equal(volume_claim_decide(sandbox, existing, &patch, &err), VOLUME_CLAIM_ERROR);
  assert_string_equal(err.message, "PVC \"x\" is owned by ReplicaSet/rs (UID: u9), not by sandbox \"my-sandbox\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_build),
      cmocka_unit_test(test_taken_over),
      cmocka_unit_test(test_without_templates_there_are_none),
      cmocka_unit_test(test_decide),
      cmocka_unit_test(test_error_of_a_foreign_claim),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
