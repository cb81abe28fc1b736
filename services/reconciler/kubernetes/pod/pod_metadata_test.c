#include "services/reconciler/kubernetes/pod/pod_metadata.h"

#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define K "agents.x-k8s.io/"
#define HASH "'" K "sandbox-name-hash':'374de8f5'"
#define POOL_OWNER                                                \
  "'ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/" \
  "v1beta1','kind':'SandboxWarmPool','name':'p','uid':'u2','controller':true}]"
#define CLAIM_OWNER                                               \
  "'ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/" \
  "v1alpha1','kind':'SandboxClaim','name':'c','uid':'u3','controller':true}]"
#define EXTENSION_LABELS                                                                                    \
  "'labels':{'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'bb','" K "claim-uid':'u3','" K \
  "launch-type':'warm'}"

/* The Pod's metadata after a sync; all three are contents of JSON objects. */
static void check(const char *sandbox_metadata, const char *template_metadata, const char *pod_metadata,
                  const char *want) {
  KUBE_OWNED json_t *sandbox =
      quoted("{'metadata':{'name':'my-sandbox','uid':'u1'%s%s},'spec':{'podTemplate':{'metadata':{%s}}}}",
             *sandbox_metadata ? "," : "", sandbox_metadata, template_metadata);
  KUBE_OWNED json_t *pod = quoted("{'metadata':{%s}}", pod_metadata);
  pod_metadata_sync(sandbox, pod);
  assert_json(kube_get(pod, "metadata"), want);
  /* a second time changes nothing */
  KUBE_OWNED json_t *again = json_deep_copy(pod);
  pod_metadata_sync(sandbox, again);
  assert_true(json_equal(pod, again));
}

static void test_new_pod(void **s) {
  check("", "", "", "{'labels':{" HASH "}}");
  check("", "'labels':{'b':'2','a':'1'},'annotations':{'z':'9','y':'8'}", "",
        "{'labels':{" HASH ",'a':'1','b':'2'},'annotations':{'z':'9','y':'8','" K "propagated-labels':'a,b','" K
        "propagated-annotations':'y,z'}}");
  /* one list empty: that one is left out */
  check("", "'labels':{'a':'1'}", "", "{'labels':{" HASH ",'a':'1'},'annotations':{'" K "propagated-labels':'a'}}");
}

static void test_reserved_keys_are_not_copied(void **s) {
  check("",
        "'labels':{'" K "claim-uid':'u3','" K "sandbox-template-hash':'cc','" K "launch-type':'warm','" K
        "sandbox-name-hash':'bad','" K "created-by':'controller','" K "warm-pool-sandbox':'aa','extensions." K
        "x':'y','opentelemetry.io/trace-context':'l'},"
        "'annotations':{'" K "pod-name':'p','extensions." K "x':'y','opentelemetry.io/trace-context':'{}'}",
        "",
        "{'labels':{" HASH ",'opentelemetry.io/trace-context':'l'},"
        "'annotations':{'" K "propagated-labels':'opentelemetry.io/trace-context'}}");
  /* a domain of its own that only ends alike */
  check("", "'labels':{'api." K "x':'y'}", "",
        "{'labels':{" HASH ",'api." K "x':'y'},'annotations':{'" K "propagated-labels':'api." K "x'}}");
}

static void test_keys_that_left_the_template_leave_the_pod(void **s) {
  check("", "'labels':{'a':'new'}",
        "'labels':{" HASH ",'a':'1','b':'2','other':'o'},'annotations':{'c':'3','other':'o','" K
        "propagated-labels':'a,b','" K "propagated-annotations':'c'}",
        "{'labels':{" HASH ",'a':'new','other':'o'},'annotations':{'other':'o','" K "propagated-labels':'a','" K
        "propagated-annotations':''}}");
  /* an empty list that was written stays empty; one that never was is not begun */
  check("", "", "'annotations':{'" K "propagated-labels':''}",
        "{'labels':{" HASH "},'annotations':{'" K "propagated-labels':''}}");
}

static void test_lists_are_scrubbed_of_reserved_keys(void **s) {
  check("", "",
        "'labels':{" HASH ",'" K "claim-uid':'u3','extensions." K "x':'y'},"
        "'annotations':{'opentelemetry.io/trace-context':'{}','" K "propagated-labels':'" K "claim-uid," K
        "sandbox-name-hash,extensions." K "x','" K "propagated-annotations':'opentelemetry.io/trace-context," K
        "propagated-labels," K "propagated-annotations'}",
        "{'labels':{" HASH "},'annotations':{'" K "propagated-labels':'','" K "propagated-annotations':''}}");
}

static void test_name_hash_is_repaired(void **s) {
  check("", "", "'labels':{'" K "sandbox-name-hash':'00000000'}", "{'labels':{" HASH "}}");
}

static void test_labels_of_the_extensions(void **s) {
  /* hand-made: nothing is copied, and what is on the Pod goes */
  check(EXTENSION_LABELS, "", "", "{'labels':{" HASH "}}");
  check(EXTENSION_LABELS, "", "'labels':{'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'bb'}",
        "{'labels':{" HASH "}}");
  /* in a pool */
  check(POOL_OWNER "," EXTENSION_LABELS, "", "",
        "{'labels':{" HASH ",'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'bb'}}");
  /* adopted: the pool's label goes, the template's stays, even if the Sandbox still has the first */
  check(CLAIM_OWNER "," EXTENSION_LABELS, "",
        "'labels':{'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'old'}",
        "{'labels':{" HASH ",'" K "sandbox-template-ref-hash':'bb'}}");
  /* a member without a pool */
  check("'annotations':{'sandplane.dev/epoch':'e'}," EXTENSION_LABELS, "",
        "'labels':{'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'bb'}",
        "{'labels':{" HASH ",'" K "sandbox-template-ref-hash':'bb'}}");
  /* of the group, but without the labels */
  check(POOL_OWNER, "", "'labels':{'" K "warm-pool-sandbox':'aa','" K "sandbox-template-ref-hash':'bb'}",
        "{'labels':{" HASH "}}");
  /* a kind of that name in another group */
  check("'ownerReferences':[{'apiVersion':'example.com/"
        "v1','kind':'SandboxWarmPool','uid':'u2','controller':true}]," EXTENSION_LABELS,
        "", "", "{'labels':{" HASH "}}");
}

static void test_created_by(void **s) {
  static const char *const CASES[][2] = {
      {"go-client", "go-client"}, {"python-client", "python-client"}, {"controller", "controller"},
      {"curl", "unknown"},        {"Go-Client", "unknown"},           {"", "unknown"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    assert_string_equal(pod_metadata_created_by(CASES[i][0]), CASES[i][1]);
    CLEANUP(str_freep) char *sandbox = str_printf("'labels':{'" K "created-by':'%s'}", CASES[i][0]);
    CLEANUP(str_freep) char *want = str_printf("{'labels':{" HASH ",'" K "created-by':'%s'}}", CASES[i][1]);
    check(sandbox, "", "", want);
    check(sandbox, "'labels':{'" K "created-by':'mine'}", "'labels':{'" K "created-by':'other'}", want);
  }
  assert_null(pod_metadata_created_by(NULL));
  check("", "", "'labels':{'" K "created-by':'controller'}", "{'labels':{" HASH "}}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_new_pod),
      cmocka_unit_test(test_reserved_keys_are_not_copied),
      cmocka_unit_test(test_keys_that_left_the_template_leave_the_pod),
      cmocka_unit_test(test_lists_are_scrubbed_of_reserved_keys),
      cmocka_unit_test(test_name_hash_is_repaired),
      cmocka_unit_test(test_labels_of_the_extensions),
      cmocka_unit_test(test_created_by),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
