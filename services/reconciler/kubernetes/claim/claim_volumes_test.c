#include "services/reconciler/kubernetes/claim/claim_volumes.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define V(name, mode) "{'metadata':{'name':'" name "'},'spec':{'volumeMode':'" mode "'}}"

static const struct {
  const char *policy, *template, *claim;
  bool ok;
  /* The merged list, or the error's text; NULL: the list is not touched. */
  const char *wanted;
} CASES[] = {
    {"Disallowed", "[" V("a", "T") "]", "[]", true, NULL},
    {"Disallowed", "[]", "[" V("a", "C") "]", false, "volume claim templates are disallowed by the template"},
    {"", "[]", "[" V("a", "C") "]", false, "volume claim templates are disallowed by the template"},
    {"Allowed", "[" V("a", "T") "]", "[" V("c", "C") "," V("b", "C") "]", true,
     "[" V("a", "T") "," V("c", "C") "," V("b", "C") "]"},
    {"Allowed", "[" V("a", "T") "]", "[" V("b", "C") "," V("a", "C") "]", false,
     "overriding volume claim templates is forbidden by the template: cannot override template volume \"a\""},
    {"Allowed", "null", "[" V("a", "C") "]", true, "[" V("a", "C") "]"},
    {"Overrides", "[" V("a", "T") "," V("b", "T") "]", "[" V("d", "C") "," V("a", "C") "," V("c", "C") "]", true,
     "[" V("a", "C") "," V("b", "T") "," V("d", "C") "," V("c", "C") "]"},
    {"Allowed", "[]", "[" V("a", "C") ",{'metadata':{'name':''}}]", false,
     "invalid volume claim templates: name at index 1 is empty"},
    {"Overrides", "[]", "[{'spec':{}}]", false, "invalid volume claim templates: name at index 0 is empty"},
    {"Overrides", "[]", "[" V("a", "C") "," V("a", "C") "]", false,
     "invalid volume claim templates: duplicate name \"a\""},
    /* the template's own list, with nothing from the claim */
    {"Disallowed", "[" V("a", "T") "," V("a", "T") "]", "null", false,
     "invalid volume claim templates: duplicate name \"a\""},
    {"Disallowed", "[{}]", "null", false, "invalid volume claim templates: name at index 0 is empty"},
};

static void test_merge(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = quoted("{'spec':{'volumeClaimTemplates':%s}}", CASES[i].claim);
    KUBE_OWNED json_t *template = quoted("{'spec':{'volumeClaimTemplatesPolicy':'%s','volumeClaimTemplates':%s}}",
                                         CASES[i].policy, CASES[i].template);
    KUBE_OWNED json_t *before = json_deep_copy(template);
    KUBE_OWNED json_t *spec = quoted("{'volumeClaimTemplates':'as it was'}");
    ClaimReject reject;
    Error err = {0};
    int r = claim_volumes_apply(spec, claim, template, &reject, &err);
    assert_int_equal(r, CASES[i].ok ? 0 : -1);
    assert_int_equal(reject, CASES[i].ok ? CLAIM_ACCEPTED : CLAIM_VOLUMES_REJECTED);
    const char *wanted = CASES[i].ok && CASES[i].wanted ? CASES[i].wanted : "'as it was'";
    assert_json(kube_get(spec, "volumeClaimTemplates"), wanted);
    if (!CASES[i].ok)
      assert_string_equal(err.message, CASES[i].wanted);
    assert_true(json_equal(template, before));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_merge)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
