#include "services/reconciler/kubernetes/claim/claim_adoption.h"

#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define EVICT "cluster-autoscaler.kubernetes.io/safe-to-evict"
#define OWNER                                                                                                         \
  "{'apiVersion':'extensions.agents.x-k8s.io/v1beta1','kind':'SandboxClaim','name':'c','uid':'cu','controller':true," \
  "'blockOwnerDeletion':true}"

static json_t *claim_with(const char *metadata, const char *spec) {
  return quoted("{'metadata':{'name':'c','namespace':'ns','uid':'cu'%s},'spec':{%s}}", metadata, spec);
}

static json_t *template_with(const char *metadata) {
  return quoted("{'metadata':{'name':'python-runtime-template'},'spec':{'podTemplate':{'metadata':%s,'spec':{}}}}",
                metadata);
}

static json_t *member_of(const json_t *template) {
  KUBE_OWNED json_t *pool = quoted("{'metadata':{'name':'p','namespace':'ns','uid':'pu'}}");
  json_t *member = member_build(pool, template, "p-abcde", true);
  kube_set(member, "metadata.resourceVersion", json_string("77"));
  return member;
}

/* RFC 7396, for what these patches are. */
static void apply(json_t *object, const json_t *patch) {
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)patch, key, v) {
    if (json_is_null(v)) {
      json_object_del(object, key);
    } else if (json_is_object(v)) {
      if (!json_is_object(json_object_get(object, key)))
        json_object_set_new(object, key, json_object());
      apply(json_object_get(object, key), v);
    } else {
      json_object_set(object, key, v);
    }
  }
}

static void test_pod_metadata(void **s) {
  static const struct {
    const char *claim_metadata, *claim_spec, *template, *wanted;
  } CASES[] = {
      {"", "", "{}",
       "{'labels':{'agents.x-k8s.io/claim-uid':'cu',"
       "'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'}}"},
      {",'labels':{'agents.x-k8s.io/created-by':'go-client'}", "",
       "{'labels':{'a':'b','agents.x-k8s.io/created-by':'x'},'annotations':{'" EVICT "':'false'}}",
       "{'labels':{'a':'b','agents.x-k8s.io/claim-uid':'cu','agents.x-k8s.io/sandbox-template-ref-hash':'0572d487',"
       "'agents.x-k8s.io/created-by':'go-client'},'annotations':{'" EVICT "':'false'}}"},
      {"", "'additionalPodMetadata':{'labels':{'sandbox.users.io/x':'1'},'annotations':{'n':'2'}}",
       "{'labels':{'agents.x-k8s.io/created-by':'x'}}",
       "{'labels':{'agents.x-k8s.io/claim-uid':'cu','agents.x-k8s.io/sandbox-template-ref-hash':'0572d487',"
       "'sandbox.users.io/x':'1'},'annotations':{'n':'2'}}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = claim_with(CASES[i].claim_metadata, CASES[i].claim_spec);
    KUBE_OWNED json_t *template = template_with(CASES[i].template);
    KUBE_OWNED json_t *metadata = claim_pod_metadata(claim, template);
    assert_json(metadata, CASES[i].wanted);
  }
}

static void test_adoption(void **s) {
  KUBE_OWNED json_t *claim = claim_with(",'labels':{'agents.x-k8s.io/created-by':'python-client'},"
                                        "'annotations':{'opentelemetry.io/trace-context':'tc'}",
                                        "'additionalPodMetadata':{'annotations':{'note':'x'}}");
  KUBE_OWNED json_t *template = template_with("{'labels':{'a':'b'}}");
  KUBE_OWNED json_t *sandbox = member_of(template);
  KUBE_OWNED json_t *before = json_deep_copy(sandbox);
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, template);
  assert_true(json_equal(sandbox, before));
  assert_json(patch, "{'metadata':{'resourceVersion':'77','ownerReferences':[" OWNER "],"
                     "'labels':{'agents.x-k8s.io/warm-pool-sandbox':null,"
                     "'agents.x-k8s.io/sandbox-pod-template-hash':null,'agents.x-k8s.io/sandbox-template-hash':null,"
                     "'agents.x-k8s.io/claim-uid':'cu','agents.x-k8s.io/created-by':'python-client'},"
                     "'annotations':{'agents.x-k8s.io/pod-name':'p-abcde','opentelemetry.io/trace-context':'tc'}},"
                     "'spec':{'podTemplate':{'metadata':{'labels':{'agents.x-k8s.io/warm-pool-sandbox':null,"
                     "'agents.x-k8s.io/sandbox-pod-template-hash':null,'agents.x-k8s.io/sandbox-template-hash':null,"
                     "'agents.x-k8s.io/claim-uid':'cu','agents.x-k8s.io/created-by':'python-client'},"
                     "'annotations':{'" EVICT "':null,'note':'x'}}}}}");
  apply(sandbox, patch);
  assert_false(member_is_adoptable(sandbox));
  assert_true(kube_is_controlled_by(sandbox, "cu"));
  assert_string_equal(kube_label(sandbox, "agents.x-k8s.io/launch-type"), "warm");
  /* what adoption leaves is what later passes want */
  assert_null(claim_sync_patch(claim, sandbox, template));
}

/* Nobody's by the objects: no pool counts it, and nothing but the anchor owns it. */
static void test_detaching(void **s) {
  KUBE_OWNED json_t *template = template_with("{}");
  KUBE_OWNED json_t *sandbox = member_of(template);
  KUBE_OWNED json_t *patch = claim_detach_patch(sandbox, quoted("{'kind':'ClusterRole','name':'a','uid':'u1'}"));
  assert_json(patch,
              "{'metadata':{'resourceVersion':'77','ownerReferences':[{'kind':'ClusterRole','name':'a','uid':'u1'}],"
              "'labels':{'agents.x-k8s.io/warm-pool-sandbox':null,"
              "'agents.x-k8s.io/sandbox-pod-template-hash':null,'agents.x-k8s.io/sandbox-template-hash':null}},"
              "'spec':{'podTemplate':{'metadata':{'annotations':{'" EVICT "':null}}}}}");
  apply(sandbox, patch);
  assert_null(kube_controller(sandbox));
  assert_false(member_is_adoptable(sandbox));
  KUBE_OWNED json_t *again = claim_detach_patch(sandbox, quoted("{'kind':'ClusterRole','name':'a','uid':'u1'}"));
  assert_null(again);
  KUBE_OWNED json_t *bare = member_of(template);
  KUBE_OWNED json_t *alone = claim_detach_patch(bare, NULL);
  assert_json(kube_get(alone, "metadata.ownerReferences"), "[]");
}

static void test_adoption_without_creator_or_additions(void **s) {
  KUBE_OWNED json_t *claim = claim_with("", "");
  KUBE_OWNED json_t *template = template_with("{}");
  KUBE_OWNED json_t *sandbox = member_of(template);
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, template);
  apply(sandbox, patch);
  assert_null(kube_label(sandbox, "agents.x-k8s.io/created-by"));
  assert_json(kube_get(sandbox, "spec.podTemplate.metadata.labels"),
              "{'agents.x-k8s.io/claim-uid':'cu','agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'}");
  KUBE_OWNED json_t *sync = claim_sync_patch(claim, sandbox, template);
  assert_null(sync);
}

/* safe-to-evict is the pool's when it is "true". */
static void test_adoption_without_template(void **s) {
  static const struct { const char *evict, *wanted; } CASES[] = {{"true", NULL}, {"false", "false"}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = claim_with(",'labels':{'agents.x-k8s.io/created-by':'go-client'}", "");
    KUBE_OWNED json_t *template = template_with("{'labels':{'a':'b'}}");
    KUBE_OWNED json_t *sandbox = member_of(template);
    kube_set_annotation(kube_get(sandbox, "spec.podTemplate"), EVICT, CASES[i].evict);
    KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, NULL);
    apply(sandbox, patch);
    const json_t *pod = kube_get(sandbox, "spec.podTemplate");
    assert_true(str_equal(kube_annotation(pod, EVICT), CASES[i].wanted));
    assert_string_equal(kube_label(pod, "a"), "b");
    assert_string_equal(kube_label(pod, "agents.x-k8s.io/claim-uid"), "cu");
    assert_string_equal(kube_label(pod, "agents.x-k8s.io/created-by"), "go-client");
    assert_string_equal(kube_label(pod, "agents.x-k8s.io/sandbox-template-ref-hash"), "0572d487");
    assert_string_equal(kube_label(sandbox, "agents.x-k8s.io/sandbox-template-ref-hash"), "0572d487");
    assert_false(member_is_adoptable(sandbox));
  }
}

static void test_sync(void **s) {
  KUBE_OWNED json_t *claim = claim_with("", "'additionalPodMetadata':{'labels':{'sandbox.users.io/x':'1'}}");
  KUBE_OWNED json_t *template = template_with("{}");
  KUBE_OWNED json_t *sandbox =
      quoted("{'metadata':{'name':'c','labels':{'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487',"
             "'agents.x-k8s.io/created-by':'x'}},"
             "'spec':{'podTemplate':{'metadata':{'labels':{'agents.x-k8s.io/claim-uid':'cu',"
             "'agents.x-k8s.io/sandbox-template-ref-hash':'0572d487','sandbox.users.io/old':'1'}}}}}");
  KUBE_OWNED json_t *patch = claim_sync_patch(claim, sandbox, template);
  assert_json(patch, "{'metadata':{'labels':{'agents.x-k8s.io/created-by':null,'agents.x-k8s.io/launch-type':'cold'}},"
                     "'spec':{'podTemplate':{'metadata':{'labels':{'sandbox.users.io/old':null,"
                     "'sandbox.users.io/x':'1'}}}}}");
  KUBE_OWNED json_t *unread = claim_sync_patch(claim, sandbox, NULL);
  assert_json(unread, "{'metadata':{'labels':{'agents.x-k8s.io/launch-type':'cold'}}}");
  kube_set(sandbox, "metadata.name", json_string("p-abcde"));
  KUBE_OWNED json_t *warm = claim_sync_patch(claim, sandbox, NULL);
  assert_json(warm, "{'metadata':{'labels':{'agents.x-k8s.io/launch-type':'warm'}}}");
  apply(sandbox, patch);
  assert_null(claim_sync_patch(claim, sandbox, template));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pod_metadata),
      cmocka_unit_test(test_adoption),
      cmocka_unit_test(test_detaching),
      cmocka_unit_test(test_adoption_without_creator_or_additions),
      cmocka_unit_test(test_adoption_without_template),
      cmocka_unit_test(test_sync),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
