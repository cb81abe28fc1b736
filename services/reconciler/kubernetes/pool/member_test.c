#include "services/reconciler/kubernetes/pool/member.h"

#include "services/reconciler/kubernetes/template/blueprint.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define POOL "{'metadata':{'name':'python-sandbox-warmpool','namespace':'ns','uid':'pu','generation':3}}"
#define OWNER                                                                                                     \
  "{'apiVersion':'extensions.agents.x-k8s.io/v1beta1','kind':'SandboxWarmPool','name':'python-sandbox-warmpool'," \
  "'uid':'pu',"                                                                                                   \
  "'controller':true,'blockOwnerDeletion':true}"
#define HASHES                                                                                             \
  "'agents.x-k8s.io/warm-pool-sandbox':'54384ed7','agents.x-k8s.io/sandbox-template-ref-hash':'0572d487'," \
  "'agents.x-k8s.io/sandbox-pod-template-hash':'777b379c','agents.x-k8s.io/sandbox-template-hash':'e71c0ccc'"
#define EVICT "'cluster-autoscaler.kubernetes.io/safe-to-evict'"

static json_t *template_with(const char *metadata) {
  return quoted("{'metadata':{'name':'python-runtime-template'},'spec':{'service':true,'podTemplate':{%s'spec':"
                "{'containers':[{'name':'pause','image':'registry.k8s.io/pause:3.10'}]}}}}",
                metadata);
}

static void test_member(void **s) {
  KUBE_OWNED json_t *pool = quoted(POOL);
  KUBE_OWNED json_t *template = template_with("");
  KUBE_OWNED json_t *member = member_build(pool, template, "python-sandbox-warmpool-x7k2p", true);
  assert_json(member, "{'apiVersion':'agents.x-k8s.io/v1beta1','kind':'Sandbox',"
                      "'metadata':{'name':'python-sandbox-warmpool-x7k2p',"
                      "'namespace':'ns','ownerReferences':[" OWNER "],'labels':{" HASHES ","
                      "'agents.x-k8s.io/launch-type':'warm',"
                      "'agents.x-k8s.io/created-by':'controller'},"
                      "'annotations':{'agents.x-k8s.io/sandbox-template-ref':'python-runtime-template'}},"
                      "'spec':{'service':true,'podTemplate':{'metadata':{'labels':{" HASHES "},"
                      "'annotations':{" EVICT ":'true'}},"
                      "'spec':{'containers':[{'name':'pause','image':'registry.k8s.io/pause:3.10'}],"
                      "'automountServiceAccountToken':false,'dnsPolicy':'None','dnsConfig':{'nameservers':['8.8.8.8',"
                      "'1.1.1.1']}}}}}");
  assert_false(blueprint_differs(member, template));
  assert_true(member_is_adoptable(member));
}

static void test_generated_name(void **s) {
  KUBE_OWNED json_t *pool = quoted(POOL);
  KUBE_OWNED json_t *template = template_with("");
  KUBE_OWNED json_t *member = member_build(pool, template, NULL, true);
  assert_null(kube_name(member));
  assert_string_equal(kube_text(member, "metadata.generateName"), "python-sandbox-warmpool-");
}

static void test_eviction(void **s) {
  static const struct {
    const char *metadata;
    bool eviction;
    const char *wanted;
  } CASES[] = {
      {"'metadata':{'annotations':{" EVICT ":'false'}},", true, "false"},
      {"'metadata':{'annotations':{" EVICT ":'false'}},", false, "false"},
      {"'metadata':{'annotations':{'a':'b'}},", true, "true"},
      {"", false, NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *pool = quoted(POOL);
    KUBE_OWNED json_t *template = template_with(CASES[i].metadata);
    KUBE_OWNED json_t *member = member_build(pool, template, "m", CASES[i].eviction);
    const char *is =
        kube_annotation(kube_get(member, "spec.podTemplate"), "cluster-autoscaler.kubernetes.io/safe-to-evict");
    assert_true(str_equal(is, CASES[i].wanted));
  }
}

#define LABELS "'labels':{'agents.x-k8s.io/warm-pool-sandbox':'x','agents.x-k8s.io/sandbox-template-ref-hash':'y'}"

static void test_adoptable(void **s) {
  static const struct {
    const char *metadata;
    bool adoptable;
  } CASES[] = {
      {"'namespace':'ns','ownerReferences':[" OWNER "]," LABELS, true},
      {"'namespace':'other','ownerReferences':[" OWNER "]," LABELS, true},
      {"'namespace':'ns','ownerReferences':[" OWNER "],'deletionTimestamp':'2026-01-01T00:00:00Z'," LABELS, false},
      {"'namespace':'ns','ownerReferences':[" OWNER "],'labels':{'agents.x-k8s.io/warm-pool-sandbox':'x'}", false},
      {"'namespace':'ns','ownerReferences':[" OWNER "],'labels':{'agents.x-k8s.io/sandbox-template-ref-hash':'x'}",
       false},
      {"'namespace':'ns'," LABELS, false},
      /* another version of the group; another pool; another kind */
      {"'namespace':'ns','ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/v1alpha1',"
       "'kind':'SandboxWarmPool',"
       "'name':'python-sandbox-warmpool','uid':'pu','controller':true}]," LABELS,
       true},
      {"'namespace':'ns','ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/v1beta1',"
       "'kind':'SandboxWarmPool',"
       "'name':'other','uid':'pu','controller':true}]," LABELS,
       true},
      {"'namespace':'ns','ownerReferences':[{'apiVersion':'extensions.agents.x-k8s.io/v1beta1','kind':'SandboxClaim',"
       "'name':'python-sandbox-warmpool','uid':'pu','controller':true}]," LABELS,
       false},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *sandbox = quoted("{'metadata':{%s}}", CASES[i].metadata);
    if (member_is_adoptable(sandbox) != CASES[i].adoptable)
      fail_msg("%s", CASES[i].metadata);
  }
  assert_false(member_is_adoptable(NULL));
}

static void test_ready(void **s) {
  KUBE_OWNED json_t *ready = quoted("{'status':{'conditions':[{'type':'Ready','status':'True'}]}}");
  KUBE_OWNED json_t *unready = quoted("{'status':{'conditions':[{'type':'Ready','status':'False'}]}}");
  assert_true(member_is_ready(ready));
  assert_false(member_is_ready(unready));
  assert_false(member_is_ready(NULL));
}

static void test_pool_status(void **s) {
  KUBE_OWNED json_t *pool = quoted(POOL);
  KUBE_OWNED json_t *status = member_pool_status(pool, 4, 0);
  assert_json(status, "{'replicas':4,'readyReplicas':0,'selector':'agents.x-k8s.io/warm-pool-sandbox=54384ed7',"
                      "'observedGeneration':3}");
  KUBE_OWNED json_t *patch = member_pool_status_patch(pool, status);
  assert_json(kube_get(patch, "status"), "{'replicas':4,'readyReplicas':0,"
                                         "'selector':'agents.x-k8s.io/warm-pool-sandbox=54384ed7',"
                                         "'observedGeneration':3}");
  kube_set(pool, "status", json_incref(status));
  assert_null(member_pool_status_patch(pool, status));
  KUBE_OWNED json_t *later = member_pool_status(pool, 4, 2);
  KUBE_OWNED json_t *change = member_pool_status_patch(pool, later);
  assert_json(change, "{'status':{'readyReplicas':2}}");
}

static void test_mend(void **s) {
  KUBE_OWNED json_t *pool = quoted(POOL);
  KUBE_OWNED json_t *template = template_with("");
  KUBE_OWNED json_t *member = member_build(pool, template, "m", true);
  assert_null(member_mend_patch(member, pool));
  KUBE_OWNED json_t *owners = json_deep_copy(kube_get(member, "metadata.ownerReferences"));
  kube_set_label(member, "agents.x-k8s.io/launch-type", NULL);
  KUBE_OWNED json_t *label = member_mend_patch(member, pool);
  assert_json(label, "{'metadata':{'labels':{'agents.x-k8s.io/launch-type':'warm'}}}");
  kube_set(member, "metadata.ownerReferences", quoted("[{'uid':'other'}]"));
  KUBE_OWNED json_t *orphan = member_mend_patch(member, pool);
  json_t *now = kube_get(orphan, "metadata.ownerReferences");
  assert_int_equal(json_array_size(now), 2);
  assert_string_equal(kube_text(json_array_get(now, 0), "uid"), "other");
  assert_true(json_equal(json_array_get(now, 1), json_array_get(owners, 0)));
}

static void test_grace(void **s) {
  KUBE_OWNED json_t *plain = quoted("{'spec':{'replicas':1}}");
  KUBE_OWNED json_t *longer = quoted("{'spec':{'readinessGracePeriodSeconds':900}}");
  KUBE_OWNED json_t *shorter = quoted("{'spec':{'readinessGracePeriodSeconds':30}}");
  assert_int_equal(member_grace_ms(plain, 300000), 300000);
  assert_int_equal(member_grace_ms(longer, 300000), 900000);
  assert_int_equal(member_grace_ms(shorter, 300000), 30000);
}

static void test_held_note(void **s) {
  static const struct {
    int64_t ms;
    const char *text;
  } CASES[] = {{300000, "5m0s"}, {2000, "2s"},        {1500, "1.5s"},
               {90000, "1m30s"}, {3600000, "1h0m0s"}, {86400000, "24h0m0s"}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    CLEANUP(str_freep) char *note = member_held_note(1, 3, CASES[i].ms);
    CLEANUP(str_freep)
    char *wanted = str_printf(
        "1/3 sandboxes are unschedulable past the %s readiness grace period; they are kept until there is room",
        CASES[i].text);
    assert_string_equal(note, wanted);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_member),    cmocka_unit_test(test_generated_name), cmocka_unit_test(test_eviction),
      cmocka_unit_test(test_adoptable), cmocka_unit_test(test_ready),          cmocka_unit_test(test_mend),
      cmocka_unit_test(test_grace),     cmocka_unit_test(test_held_note),      cmocka_unit_test(test_pool_status),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
