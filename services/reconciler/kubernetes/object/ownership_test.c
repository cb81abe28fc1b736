#include "services/reconciler/kubernetes/object/ownership.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

static json_t *my_sandbox(void) {
  return quoted("{'metadata':{'name':'my-sandbox','uid':'u1'}}");
}

static void test_controller_decides_then_labels(void **s) {
  static const struct {
    const char *metadata;
    Ownership want;
  } CASES[] = {
      {"{}", OWNERSHIP_UNOWNED},
      {"{'ownerReferences':[" FIXTURE_OWNER "]}", OWNERSHIP_OURS},
      /* of an older controller: the UID counts, not the version */
      {"{'ownerReferences':[{'apiVersion':'agents.x-k8s.io/v1alpha1','kind':'Sandbox','name':'my-sandbox','uid':'u1',"
       "'controller':true}]}",
       OWNERSHIP_OURS},
      /* the same name before, made anew since */
      {"{'ownerReferences':[{'kind':'Sandbox','name':'my-sandbox','uid':'u0','controller':true}]}", OWNERSHIP_FOREIGN},
      {"{'ownerReferences':[" FIXTURE_FOREIGN "]}", OWNERSHIP_FOREIGN},
      {"{'labels':{'agents.x-k8s.io/adoptable':'true'},'ownerReferences':[" FIXTURE_FOREIGN "]}", OWNERSHIP_FOREIGN},
      {"{'labels':{'agents.x-k8s.io/adoptable':'true'}}", OWNERSHIP_ADOPTABLE},
      {"{'labels':{'agents.x-k8s.io/adoptable':'yes'}}", OWNERSHIP_UNOWNED},
      {"{'labels':{'agents.x-k8s.io/sandbox-name-hash':'374de8f5'}}", OWNERSHIP_ADOPTABLE},
      {"{'labels':{'agents.x-k8s.io/sandbox-name-hash':'811c9dc5'}}", OWNERSHIP_UNOWNED},
      /* an owner that does not control */
      {"{'ownerReferences':[{'kind':'Job','name':'j','uid':'u1'}]}", OWNERSHIP_UNOWNED},
  };
  KUBE_OWNED json_t *sandbox = my_sandbox();
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *object = quoted("{'metadata':%s}", CASES[i].metadata);
    if (ownership_of(sandbox, object) != CASES[i].want)
      fail_msg("%s", CASES[i].metadata);
  }
}

static void test_without_uid_nothing_is_ours(void **s) {
  KUBE_OWNED json_t *sandbox = quoted("{'metadata':{'name':'my-sandbox'}}");
  KUBE_OWNED json_t *object = quoted("{'metadata':{'ownerReferences':[{'kind':'Sandbox','controller':true}]}}");
  assert_int_equal(ownership_of(sandbox, object), OWNERSHIP_FOREIGN);
}

static void test_patch_keeps_other_owners(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox();
  KUBE_OWNED json_t *object =
      quoted("{'metadata':{'ownerReferences':[{'kind':'Job','name':'j','uid':'u5'},{'kind':'Sandbox','uid':'u1'}]}}");
  KUBE_OWNED json_t *patch = ownership_patch(sandbox, object);
  assert_json(patch, "{'metadata':{'ownerReferences':[{'kind':'Job','name':'j','uid':'u5'}," FIXTURE_OWNER "]}}");
  KUBE_OWNED json_t *fresh = ownership_references(sandbox, NULL);
  assert_json(fresh, "[" FIXTURE_OWNER "]");
}

static void test_refusals_say_why(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox();
  KUBE_OWNED json_t *foreign = quoted("{'metadata':{'name':'p','ownerReferences':[" FIXTURE_FOREIGN "]}}");
  Error err = {0};
  assert_int_equal(ownership_refuse(sandbox, foreign, "pod", &err), -1);
  assert_string_equal(err.message, "pod \"p\" is owned by ReplicaSet/rs (UID: u9), not by sandbox \"my-sandbox\"");
  KUBE_OWNED json_t *unowned = quoted("{'metadata':{'name':'p'}}");
  assert_int_equal(ownership_refuse(sandbox, unowned, "pod", &err), -1);
  assert_non_null(strstr(err.message, "pod \"p\""));
  assert_non_null(strstr(err.message, "agents.x-k8s.io/adoptable: \"true\""));
  assert_non_null(strstr(err.message, "agents.x-k8s.io/sandbox-name-hash: \"374de8f5\""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_controller_decides_then_labels),
      cmocka_unit_test(test_without_uid_nothing_is_ours),
      cmocka_unit_test(test_patch_keeps_other_owners),
      cmocka_unit_test(test_refusals_say_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
