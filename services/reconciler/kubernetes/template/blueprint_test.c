#include "services/reconciler/kubernetes/template/blueprint.h"

#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define PAUSE "'podTemplate':{'spec':{'containers':[{'name':'pause','image':'registry.k8s.io/pause:3.10'}]}}"
#define WORKSPACE                                                                                     \
  "'volumeClaimTemplates':[{'metadata':{'name':'workspace'},'spec':{'accessModes':['ReadWriteOnce']," \
  "'resources':{'requests':{'storage':'1Gi'}}}}]"
#define TUTORIAL                                                                                                   \
  "'podTemplate':{'metadata':{'labels':{'sandbox':'python-sandbox-example'}},'spec':{'restartPolicy':'OnFailure'," \
  "'runtimeClassName':'gvisor','containers':[{'name':'python-runtime',"                                            \
  "'image':'registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.1.0',"                                         \
  "'ports':[{'containerPort':8888,'protocol':'TCP'}],"                                                             \
  "'readinessProbe':{'httpGet':{'path':'/','port':8888},'initialDelaySeconds':0,'periodSeconds':1},"               \
  "'resources':{'requests':{'cpu':'250m','memory':'512Mi','ephemeral-storage':'512Mi'}}}]}}"
#define ESCAPED                                                                                      \
  "'podTemplate':{'spec':{'containers':[{'name':'c','image':'busybox','command':['sh','-c','a && b " \
  "> /dev/null']}]}}"

/* The examples of the API's contract. */
static void test_hashes(void **s) {
  static const struct {
    const char *spec, *pod, *blueprint;
  } CASES[] = {
      {"{" PAUSE "}", "777b379c", "ef56b0f7"},
      {"{" PAUSE ",'service':true}", "777b379c", "e71c0ccc"},
      {"{" PAUSE "," WORKSPACE "}", "777b379c", "faabc52f"},
      {"{" TUTORIAL "}", "183b01ae", "3af3672d"},
      {"{" ESCAPED "}", "732df17b", "e8af8cbe"},
      /* what is no part of the blueprint */
      {"{" PAUSE ",'networkPolicyManagement':'Unmanaged','envVarsInjectionPolicy':'Allowed',"
       "'volumeClaimTemplates':[]}",
       "777b379c", "ef56b0f7"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *template = json_object();
    kube_set(template, "spec", quoted("%s", CASES[i].spec));
    char hash[9];
    blueprint_pod_hash(template, hash);
    assert_string_equal(hash, CASES[i].pod);
    blueprint_hash(template, hash);
    assert_string_equal(hash, CASES[i].blueprint);
  }
}

static void test_blueprint_of(void **s) {
  KUBE_OWNED json_t *template = quoted("%s", "{'spec':{" PAUSE "," WORKSPACE ",'service':false,'networkPolicy':{}}}");
  KUBE_OWNED json_t *blueprint = blueprint_of(template);
  assert_json(blueprint, "{" PAUSE "," WORKSPACE ",'service':false}");
  kube_set(blueprint, "podTemplate.spec.x", json_true());
  assert_null(kube_get(template, "spec.podTemplate.spec.x"));
}

static void test_secure_defaults(void **s) {
  static const struct {
    const char *template, *pod_spec, *wanted;
  } CASES[] = {
      {"{}", "{}",
       "{'automountServiceAccountToken':false,'dnsPolicy':'None','dnsConfig':{'nameservers':['8.8.8.8',"
       "'1.1.1.1']}}"},
      {"{}", "{'automountServiceAccountToken':true,'dnsConfig':{'searches':['x']}}",
       "{'automountServiceAccountToken':true,'dnsPolicy':'None','dnsConfig':{'nameservers':['8.8.8.8','1.1.1.1']}}"},
      {"{}", "{'dnsPolicy':'Default'}", "{'automountServiceAccountToken':false,'dnsPolicy':'Default'}"},
      {"{'networkPolicyManagement':'Unmanaged'}", "{}", "{'automountServiceAccountToken':false}"},
      {"{'networkPolicyManagement':'Managed','networkPolicy':{}}", "{}", "{'automountServiceAccountToken':false}"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *template = json_object();
    kube_set(template, "spec", quoted("%s", CASES[i].template));
    KUBE_OWNED json_t *pod_spec = quoted("%s", CASES[i].pod_spec);
    blueprint_apply_secure_defaults(pod_spec, template);
    assert_json(pod_spec, CASES[i].wanted);
  }
}

/* A Sandbox as it was made of the first template, seen with the second. change: merged into the Sandbox. */
static bool differs(const char *first, const char *second, const char *change) {
  KUBE_OWNED json_t *made_of = quoted("%s", first);
  KUBE_OWNED json_t *template = quoted("%s", second);
  json_t *spec = blueprint_of(made_of);
  blueprint_apply_secure_defaults(kube_get(spec, "podTemplate.spec"), made_of);
  KUBE_OWNED json_t *sandbox = json_pack("{s:o}", "spec", spec);
  char hash[9];
  kube_name_hash(kube_name(made_of), hash);
  kube_set_label(sandbox, LABEL_TEMPLATE_REF_HASH, hash);
  if (change) {
    KUBE_OWNED json_t *changes = quoted("%s", change);
    json_object_update_recursive(sandbox, changes);
  }
  return blueprint_differs(sandbox, template);
}

#define T(spec) "{'metadata':{'name':'t'},'spec':{" spec "}}"
#define C(more) "'podTemplate':{'spec':{'containers':[{'name':'c','image':'i'" more "}]}}"

static void test_staleness(void **s) {
  static const struct {
    const char *first, *second;
    bool differs;
  } CASES[] = {
      {T(C("")), T(C("")), false},
      {T(C("")), T(C(",'args':['x']")), true},
      {T(C("")), T(C(",'args':[],'resources':{}")), false},
      {T(C(",'resources':{'limits':{'memory':'1024Mi','cpu':'0.5'}}")),
       T(C(",'resources':{'limits':{'memory':'1Gi','cpu':'500m'}}")), false},
      {T(C(",'resources':{'limits':{'memory':'1Gi'}}")), T(C(",'resources':{'limits':{'memory':'1G'}}")), true},
      /* service: unset is not false */
      {T(C("")), T(C("") ",'service':false"), true},
      {T(C("") ",'service':true"), T(C("") ",'service':true"), false},
      /* another template, though of the same content */
      {T(C("")), "{'metadata':{'name':'t2'},'spec':{" C("") "}}", true},
      /* metadata and policies do not count */
      {T(C("")),
       T("'podTemplate':{'metadata':{'labels':{'a':'b'}},'spec':{'containers':[{'name':'c',"
         "'image':'i'}]}}"),
       false},
      {T(C("")), T(C("") ",'envVarsInjectionPolicy':'Overrides'"), false},
      /* ... unless they change the secure defaults */
      {T(C("")), T(C("") ",'networkPolicyManagement':'Unmanaged'"), true},
      {T(C("") "," WORKSPACE), T(C("") "," WORKSPACE), false},
      {T(C("") "," WORKSPACE), T(C("")), true},
      {T(C("")), T(C("") ",'volumeClaimTemplates':[]"), false},
      {T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'v'},'spec':{}}]"),
       T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'v','labels':{'a':'b'}},'spec':{}}]"), false},
      {T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'v'},'spec':{}}]"),
       T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'w'},'spec':{}}]"), true},
      {T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'v'},'spec':{}}]"),
       T(C("") ",'volumeClaimTemplates':[{'metadata':{'name':'v'},'spec':{'volumeMode':'Block'}}]"), true},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    if (differs(CASES[i].first, CASES[i].second, NULL) != CASES[i].differs)
      fail_msg("%zu: %s, %s", i, CASES[i].first, CASES[i].second);
  }
}

/* The label is believed before the objects are compared. */
static void test_staleness_by_label(void **s) {
  KUBE_OWNED json_t *template = quoted("%s", T(C("")));
  char hash[9], change[256];
  blueprint_hash(template, hash);
  snprintf(change, sizeof change, "{'metadata':{'labels':{'%s':'%s'}},'spec':{'service':true}}", LABEL_TEMPLATE_HASH,
           hash);
  assert_false(differs(T(C("")), T(C("")), change));
  snprintf(change, sizeof change, "{'metadata':{'labels':{'%s':'00000000'}}}", LABEL_TEMPLATE_HASH);
  assert_false(differs(T(C("")), T(C("")), change));
  snprintf(change, sizeof change, "{'metadata':{'labels':{'%s':'00000000'}},'spec':{'service':true}}",
           LABEL_TEMPLATE_HASH);
  assert_true(differs(T(C("")), T(C("")), change));
}

/* Two templates with the same hash make members of the other look fresh. */
static void test_meaning(void **s) {
  static const struct {
    const char *other;
    bool same;
  } CASES[] = {
      {"{'metadata':{'name':'t'},'spec':{" PAUSE "," WORKSPACE ",'networkPolicy':{}}}", true},
      {"{'metadata':{'name':'t'},'spec':{'podTemplate':{'metadata':{'labels':{'a':'b'},'annotations':{'c':'d'}},"
       "'spec':{'containers':[{'name':'pause','image':'registry.k8s.io/pause:3.10'}]}},"
       "'volumeClaimTemplates':[{'metadata':{'name':'workspace','labels':{'a':'b'}},'spec':{'accessModes':['"
       "ReadWriteOnce'],"
       "'resources':{'requests':{'storage':'1Gi'}}}}]}}",
       true},
      {"{'metadata':{'name':'u'},'spec':{" PAUSE "," WORKSPACE "}}", false},
      {"{'metadata':{'name':'t'},'spec':{" PAUSE "," WORKSPACE ",'service':false}}", false},
      {"{'metadata':{'name':'t'},'spec':{" PAUSE "}}", false},
  };
  KUBE_OWNED json_t *template = quoted("%s", "{'metadata':{'name':'t'},'spec':{" PAUSE "," WORKSPACE "}}");
  char hash[9], other_hash[9];
  blueprint_meaning_hash(template, hash);
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *other = quoted("%s", CASES[i].other);
    blueprint_meaning_hash(other, other_hash);
    if (str_equal(hash, other_hash) != CASES[i].same)
      fail_msg("%s", CASES[i].other);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hashes),
      cmocka_unit_test(test_blueprint_of),
      cmocka_unit_test(test_secure_defaults),
      cmocka_unit_test(test_staleness),
      cmocka_unit_test(test_staleness_by_label),
      cmocka_unit_test(test_meaning),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
