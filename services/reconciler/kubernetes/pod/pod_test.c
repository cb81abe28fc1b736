#include "services/reconciler/kubernetes/pod/pod.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define K "agents.x-k8s.io/"
#define HASH "'" K "sandbox-name-hash':'374de8f5'"

/* recorded: value of the annotation pod-name, NULL: none. */
static json_t *my_sandbox(const char *mode, const char *recorded) {
  json_t *sandbox = quoted("{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1'},"
                           "'spec':{'operatingMode':'%s','podTemplate':{'spec':{'containers':[{'name':'c'}]}}}}",
                           mode);
  if (recorded)
    kube_set_annotation(sandbox, K "pod-name", recorded);
  return sandbox;
}

/* ---- a new Pod ---- */

static void test_build(void **s) {
  KUBE_OWNED json_t *sandbox = quoted(
      "{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1','labels':{'own':'x','" K "created-by':'me'}},"
      "'spec':{'podTemplate':{'metadata':{'labels':{'app':'a','" K "claim-uid':'u3'}},"
      "'spec':{'containers':[{'name':'c'}],'volumes':[{'name':'tmp','emptyDir':{}}]}}}}");
  KUBE_OWNED json_t *pod = pod_build(sandbox);
  assert_json(pod, "{'apiVersion':'v1','kind':'Pod','metadata':{'name':'my-sandbox','namespace':'ns',"
                   "'labels':{" HASH ",'app':'a','" K "created-by':'unknown'},"
                   "'annotations':{'" K "propagated-labels':'app'},'ownerReferences':[" FIXTURE_OWNER "]},"
                   "'spec':{'containers':[{'name':'c'}],'volumes':[{'name':'tmp','emptyDir':{}}]}}");
  /* what was built is in line already */
  KUBE_OWNED json_t *patch = pod_sync_patch(sandbox, pod, false);
  assert_null(patch);
}

static void test_build_with_volumes(void **s) {
  static const struct {
    const char *volumes, *want;
  } CASES[] = {
      {"", "[{'name':'work','persistentVolumeClaim':{'claimName':'work-my-sandbox'}},"
           "{'name':'data','persistentVolumeClaim':{'claimName':'data-my-sandbox'}}]"},
      /* the template's replaces the user's, and stands at the end */
      {",'volumes':[{'name':'work','emptyDir':{}},{'name':'tmp','emptyDir':{}}]",
       "[{'name':'tmp','emptyDir':{}},{'name':'work','persistentVolumeClaim':{'claimName':'work-my-sandbox'}},"
       "{'name':'data','persistentVolumeClaim':{'claimName':'data-my-sandbox'}}]"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox =
        quoted("{'metadata':{'name':'my-sandbox','namespace':'ns','uid':'u1'},'spec':{"
               "'podTemplate':{'spec':{'containers':[]%s}},'volumeClaimTemplates':["
               "{'metadata':{'name':'work'},'spec':{}},{'metadata':{'name':'data'},'spec':{}}]}}",
               CASES[i].volumes);
    KUBE_OWNED json_t *before = json_deep_copy(sandbox);
    KUBE_OWNED json_t *pod = pod_build(sandbox);
    assert_json(kube_get(pod, "spec.volumes"), CASES[i].want);
    assert_true(json_equal(sandbox, before));
  }
}

static void test_sync_patch_is_minimal(void **s) {
  KUBE_OWNED json_t *sandbox = quoted("{'metadata':{'name':'my-sandbox','uid':'u1'},'spec':{'podTemplate':{"
                                      "'metadata':{'labels':{'a':'1'}},'spec':{'containers':[{'name':'new'}]}}}}");
  KUBE_OWNED json_t *pod =
      quoted("{'metadata':{'name':'p','resourceVersion':'9','labels':{" HASH ",'b':'2','o':'o'},"
             "'annotations':{'" K "propagated-labels':'b'}},'spec':{'containers':[{'name':'old'}]}}");
  KUBE_OWNED json_t *patch = pod_sync_patch(sandbox, pod, false);
  assert_json(patch, "{'metadata':{'labels':{'a':'1','b':null},'annotations':{'" K "propagated-labels':'a'}}}");
  KUBE_OWNED json_t *adopting = pod_sync_patch(sandbox, pod, true);
  assert_json(adopting, "{'metadata':{'labels':{'a':'1','b':null},'annotations':{'" K "propagated-labels':'a'},"
                        "'ownerReferences':[" FIXTURE_OWNER "]}}");
}

/* ---- the annotation ---- */

static void test_pod_name(void **s) {
  KUBE_OWNED json_t *plain = my_sandbox("Running", NULL);
  KUBE_OWNED json_t *recorded = my_sandbox("Running", "other");
  KUBE_OWNED json_t *empty = my_sandbox("Running", "");
  assert_string_equal(pod_tracked_name(plain), "my-sandbox");
  assert_string_equal(pod_tracked_name(recorded), "other");
  assert_string_equal(pod_tracked_name(empty), "my-sandbox");
  const struct {
    const json_t *sandbox;
    const char *name, *want;
  } cases[] = {
      {plain, "p", "{'metadata':{'annotations':{'" K "pod-name':'p'}}}"},
      {empty, "p", "{'metadata':{'annotations':{'" K "pod-name':'p'}}}"},
      {recorded, "other", NULL},
      {recorded, "p", NULL},
      {plain, NULL, NULL},
      {recorded, NULL, "{'metadata':{'annotations':{'" K "pod-name':null}}}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    KUBE_OWNED json_t *patch = pod_name_patch(cases[i].sandbox, cases[i].name);
    assert_json(patch, cases[i].want);
  }
}

/* ---- which Pod ---- */

#define OURS(name) "{'metadata':{'name':'" name "','labels':{" HASH "},'ownerReferences':[" FIXTURE_OWNER "]}}"
#define OURS_UNLABELLED(name) "{'metadata':{'name':'" name "','ownerReferences':[" FIXTURE_OWNER "]}}"
#define FOREIGN(name) "{'metadata':{'name':'" name "','labels':{" HASH "},'ownerReferences':[" FIXTURE_FOREIGN "]}}"
#define UNOWNED(name) "{'metadata':{'name':'" name "'}}"
#define ADOPTABLE(name) "{'metadata':{'name':'" name "','labels':{" HASH "}}}"

static const struct {
  const char *recorded, *owned, *tracked;
  int want;
  const char *pod; /* name; NULL: none */
  Ownership ownership;
  int n_owned;
  bool drop_name;
} CHOICES[] = {
    {NULL, "[]", NULL, 0, NULL, 0, 0, false},
    {NULL, "[" OURS("my-sandbox") "]", OURS("my-sandbox"), 0, "my-sandbox", OWNERSHIP_OURS, 1, false},
    {"my-sandbox", "[" OURS("my-sandbox") "]", OURS("my-sandbox"), 0, "my-sandbox", OWNERSHIP_OURS, 1, false},
    /* found under its name alone */
    {"my-sandbox", "[]", OURS_UNLABELLED("my-sandbox"), 0, "my-sandbox", OWNERSHIP_OURS, 1, false},
    /* listed, but the reading by name came too early */
    {"my-sandbox", "[" OURS("my-sandbox") "]", NULL, 0, "my-sandbox", OWNERSHIP_OURS, 1, false},
    /* the recorded one is gone */
    {"gone", "[]", NULL, 0, NULL, 0, 0, true},
    {"gone", "[" OURS("b") "]", NULL, 0, "b", OWNERSHIP_OURS, 1, true},
    /* it is made under this name in a moment */
    {"my-sandbox", "[]", NULL, 0, NULL, 0, 0, false},
    {"my-sandbox", "[" OURS("b") "]", NULL, 0, "b", OWNERSHIP_OURS, 1, true},
    /* ours is another than the recorded one */
    {"a", "[" OURS("b") "]", FOREIGN("a"), 0, "b", OWNERSHIP_OURS, 1, true},
    {"a", "[" OURS("b") "]", UNOWNED("a"), 0, "b", OWNERSHIP_OURS, 1, true},
    {NULL, "[" OURS("b") "]", FOREIGN("my-sandbox"), 0, "b", OWNERSHIP_OURS, 1, false},
    {NULL, "[" OURS("b") "]", NULL, 0, "b", OWNERSHIP_OURS, 1, false},
    /* none is ours */
    {NULL, "[]", FOREIGN("my-sandbox"), 0, "my-sandbox", OWNERSHIP_FOREIGN, 0, false},
    {NULL, "[]", UNOWNED("my-sandbox"), 0, "my-sandbox", OWNERSHIP_UNOWNED, 0, false},
    {"a", "[]", ADOPTABLE("a"), 0, "a", OWNERSHIP_ADOPTABLE, 0, false},
    /* in the list by its label, but not ours */
    {NULL, "[" FOREIGN("x") "," ADOPTABLE("y") "]", NULL, 0, NULL, 0, 0, false},
    {NULL, "[" FOREIGN("x") "," OURS("b") "]", NULL, 0, "b", OWNERSHIP_OURS, 1, false},
    /* ours, but neither labelled nor tracked: a watch by label would never have shown it */
    {NULL, "[" OURS_UNLABELLED("x") "]", NULL, 0, NULL, 0, 0, false},
    /* more than one */
    {NULL, "[" OURS("a") "," OURS("b") "]", NULL, POD_MULTIPLE, NULL, 0, 2, false},
    {"a", "[" OURS("a") "," OURS("b") "]", OURS("a"), POD_MULTIPLE, NULL, 0, 2, false},
    {"a", "[" OURS("b") "]", OURS_UNLABELLED("a"), POD_MULTIPLE, NULL, 0, 2, false},
    {"a", "[" OURS("a") "," OURS("b") "," OURS("c") "]", OURS("a"), POD_MULTIPLE, NULL, 0, 3, false},
};

static void test_choose(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(CHOICES); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox("Running", CHOICES[i].recorded);
    KUBE_OWNED json_t *list = quoted("%s", CHOICES[i].owned);
    KUBE_OWNED json_t *tracked = CHOICES[i].tracked ? quoted("%s", CHOICES[i].tracked) : NULL;
    json_t *owned[4];
    for (size_t k = 0; k < json_array_size(list); k++)
      owned[k] = json_array_get(list, k);
    PodChoice c = {0};
    int r = pod_choose(sandbox, owned, json_array_size(list), tracked, &c);
    bool same = r == CHOICES[i].want && str_equal(kube_name(c.pod), CHOICES[i].pod) &&
                (int)c.n_owned == CHOICES[i].n_owned && c.drop_name == CHOICES[i].drop_name &&
                (!c.pod || c.ownership == CHOICES[i].ownership);
    if (!same)
      fail_msg("row %zu: %d, %s", i, r, kube_name(c.pod) ? kube_name(c.pod) : "no Pod");
  }
}

/* ---- what to do with it ---- */

static const struct {
  const char *mode, *recorded, *pod;
  PodAction want;
  bool drop_name;
} DECISIONS[] = {
    {"Running", NULL, NULL, POD_CREATE, false},
    {"Running", "my-sandbox", OURS("my-sandbox"), POD_NOTHING, false},
    {"Running", "my-sandbox", OURS_UNLABELLED("my-sandbox"), POD_PATCH, false},
    {"Running", NULL, ADOPTABLE("my-sandbox"), POD_ADOPT, false},
    {"Running", NULL, "{'metadata':{'name':'my-sandbox','labels':{'" K "adoptable':'true'}}}", POD_ADOPT, false},
    {"Running", "my-sandbox", UNOWNED("my-sandbox"), POD_ERROR, false},
    {"Running", "my-sandbox", FOREIGN("my-sandbox"), POD_ERROR, true},
    {"Running", NULL, FOREIGN("my-sandbox"), POD_ERROR, false},
    /* an ended Pod is neither deleted nor replaced */
    {"Running", "p",
     "{'metadata':{'name':'p','labels':{" HASH "},'ownerReferences':[" FIXTURE_OWNER "]},'status':{'phase':'Failed'}}",
     POD_NOTHING, false},
    {"Suspended", "my-sandbox", OURS("my-sandbox"), POD_DELETE, false},
    {"Suspended", "my-sandbox",
     "{'metadata':{'name':'my-sandbox','deletionTimestamp':'2026-01-01T00:00:00Z','ownerReferences':[" FIXTURE_OWNER
     "]}}",
     POD_NOTHING, false},
    {"Suspended", "my-sandbox", NULL, POD_NOTHING, true},
    {"Suspended", NULL, NULL, POD_NOTHING, false},
    {"Suspended", NULL, UNOWNED("my-sandbox"), POD_NOTHING, false},
    {"Suspended", NULL, ADOPTABLE("my-sandbox"), POD_NOTHING, false},
    {"Suspended", "my-sandbox", FOREIGN("my-sandbox"), POD_NOTHING, true},
    {"", NULL, NULL, POD_CREATE, false},
};

static void test_decide(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(DECISIONS); i++) {
    KUBE_OWNED json_t *sandbox = my_sandbox(DECISIONS[i].mode, DECISIONS[i].recorded);
    KUBE_OWNED json_t *pod = DECISIONS[i].pod ? quoted("%s", DECISIONS[i].pod) : NULL;
    KUBE_OWNED json_t *patch = NULL;
    PodChoice choice = {0};
    Error err = {0};
    assert_int_equal(pod_choose(sandbox, NULL, 0, pod, &choice), 0);
    PodAction action = pod_decide(sandbox, &choice, &patch, &err);
    if (action != DECISIONS[i].want || choice.drop_name != DECISIONS[i].drop_name) {
      fail_msg("row %zu: %d, %d", i, action, choice.drop_name);
    }
    assert_int_equal(patch != NULL, action == POD_PATCH || action == POD_ADOPT);
    assert_int_equal(kube_get(patch, "metadata.ownerReferences") != NULL, action == POD_ADOPT);
    assert_int_equal(err.kind != ERROR_NONE, action == POD_ERROR);
  }
}

static void test_error_of_a_foreign_pod(void **s) {
  KUBE_OWNED json_t *sandbox = my_sandbox("Running", NULL);
  KUBE_OWNED json_t *pod = quoted(FOREIGN("p"));
  KUBE_OWNED json_t *patch = NULL;
  PodChoice choice = {.pod = pod, .ownership = OWNERSHIP_FOREIGN};
  Error err = {0};
  assert_int_equal(pod_decide(sandbox, &choice, &patch, &err), POD_ERROR);
  assert_string_equal(err.message, "pod \"p\" is owned by ReplicaSet/rs (UID: u9), not by sandbox \"my-sandbox\"");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_build),
      cmocka_unit_test(test_build_with_volumes),
      cmocka_unit_test(test_pod_name),
      cmocka_unit_test(test_sync_patch_is_minimal),
      cmocka_unit_test(test_choose),
      cmocka_unit_test(test_decide),
      cmocka_unit_test(test_error_of_a_foreign_pod),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
