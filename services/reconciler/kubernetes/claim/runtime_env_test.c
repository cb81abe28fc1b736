#include "services/reconciler/kubernetes/claim/runtime_env.h"

#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#define MAIN "{'containers':[{'name':'main','env':[{'name':'OLD','value':'0'}]}]}"
#define TWO                                                                                                            \
  "{'initContainers':[{'name':'init'}],'containers':[{'name':'side'},{'name':'main','ports':[{'containerPort':8888}]}" \
  "]}"
#define X "{'name':'X','value':'1'}"

static const struct {
  const char *policy, *env, *pod_spec, *wanted;
  const char *why; /* a part of it; NULL: none */
} CASES[] = {
    {"Allowed", "", MAIN, NULL, NULL},
    {"Allowed", X, MAIN, "{'X':'1'}", NULL},
    {"Allowed", X ",{'name':'Y','value':''}", MAIN, "{'X':'1','Y':''}", NULL},
    /* the template's policy, and its order: those that name the container come first */
    {"Disallowed", X, MAIN, NULL, "rejected"},
    {"Allowed", "{'name':'OLD','value':'1'}", MAIN, NULL, "override is not allowed"},
    {"Overrides", "{'name':'OLD','value':'1'}", MAIN, "{'OLD':'1'}", NULL},
    {"Overrides", "{'name':'X','value':'last'},{'name':'X','value':'1','containerName':'main'}", MAIN, "{'X':'last'}",
     NULL},
    /* another container than the runtime's */
    {"Allowed", X, TWO, NULL, "another container"},
    {"Allowed", "{'name':'X','value':'1','containerName':'main'}", TWO, "{'X':'1'}", NULL},
    {"Allowed", "{'name':'X','value':'1','containerName':'init'}", TWO, NULL, "another container"},
    {"Allowed", "{'name':'X','value':'1','containerName':'none'}", MAIN, NULL, "another container"},
    {"Allowed", "{'name':'X','value':'1','containerName':'main'}," X, TWO, NULL, "another container"},
    {"Allowed", X, "{'containers':[{'name':'a'},{'name':'b'}]}", NULL, "port 8888"},
    {"Allowed", X, "{}", NULL, "port 8888"},
    /* what the kubelet expands */
    {"Allowed", "{'name':'X','value':'$(OLD)'}", MAIN, NULL, "$(NAME)"},
    {"Allowed", "{'name':'X','value':'a$$b'}", MAIN, NULL, "$(NAME)"},
    {"Allowed", "{'name':'X','value':'$HOME'}", MAIN, "{'X':'$HOME'}", NULL},
    {"Allowed", X, "{'containers':[{'name':'a','args':['--x=$(X)']}]}", NULL, "$(NAME)"},
    {"Allowed", X, "{'containers':[{'name':'a','env':[{'name':'Z','value':'$(X)/z'}]}]}", NULL, "$(NAME)"},
    {"Allowed", X, "{'containers':[{'name':'a','args':['--x=$(XY)']}]}", "{'X':'1'}", NULL},
    /* what ran already */
    {"Allowed", X, "{'containers':[{'name':'a','lifecycle':{'postStart':{}}}]}", NULL, "postStart"},
    {"Allowed", X, "{'containers':[{'name':'a','lifecycle':{'preStop':{}}}]}", "{'X':'1'}", NULL},
    /* no environment of a process */
    {"Allowed", "{'name':'a.b','value':'1'}", MAIN, NULL, "no shell"},
    {"Allowed", "{'name':'','value':'1'}", MAIN, NULL, ""},
    {"Allowed", "{'value':'1'}", MAIN, NULL, ""},
};

static json_t *claim_with(const char *env) {
  return quoted("{'metadata':{'name':'c','namespace':'ns','uid':'cu'},'spec':{'env':[%s]}}", env);
}

static json_t *template_with(const char *policy, const char *annotations) {
  return quoted("{'metadata':{'name':'t','annotations':{%s}},'spec':{'envVarsInjectionPolicy':'%s'}}", annotations,
                policy);
}

static void test_values(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    KUBE_OWNED json_t *claim = claim_with(CASES[i].env);
    KUBE_OWNED json_t *template = template_with(CASES[i].policy, "");
    KUBE_OWNED json_t *pod_spec = quoted("%s", CASES[i].pod_spec);
    KUBE_OWNED json_t *before = json_deep_copy(pod_spec);
    KUBE_OWNED json_t *env = runtime_env_of(claim, template, pod_spec);
    assert_json(env, CASES[i].wanted);
    CLEANUP(str_freep) char *why = runtime_env_refusal(claim, template, pod_spec);
    assert_int_equal(*why != '\0', CASES[i].why != NULL);
    assert_true(!CASES[i].why || strstr(why, CASES[i].why));
    assert_true(json_equal(pod_spec, before));
  }
}

static void test_a_template_that_wants_them_cold(void **s) {
  KUBE_OWNED json_t *claim = claim_with(X);
  KUBE_OWNED json_t *pod_spec = quoted(MAIN);
  KUBE_OWNED json_t *cold = template_with("Allowed", "'sandplane.dev/claim-env':'cold'");
  KUBE_OWNED json_t *other = template_with("Allowed", "'sandplane.dev/claim-env':'warm'");
  KUBE_OWNED json_t *of_cold = runtime_env_of(claim, cold, pod_spec),
                    *of_other = runtime_env_of(claim, other, pod_spec);
  assert_null(of_cold);
  assert_json(of_other, "{'X':'1'}");
}

/* Of 32 KiB with names and terminators, and of one byte more. */
static void test_size(void **s) {
  KUBE_OWNED json_t *template = template_with("Allowed", "");
  KUBE_OWNED json_t *pod_spec = quoted(MAIN);
  for (size_t more = 0; more < 2; more++) {
    KUBE_OWNED json_t *claim = claim_with(X);
    char value[32 << 10];
    size_t len = sizeof value - 3 + more;
    memset(value, 'v', len);
    value[len] = 0;
    json_object_set_new(json_array_get(kube_get(claim, "spec.env"), 0), "value", json_string(value));
    KUBE_OWNED json_t *env = runtime_env_of(claim, template, pod_spec);
    assert_int_equal(env == NULL, more);
  }
}

/* The Sandbox says what the running Pod was given, whatever the claim says later. */
static void test_kept(void **s) {
  KUBE_OWNED json_t *claim = claim_with(X ",{'name':'OLD','value':'1'}");
  KUBE_OWNED json_t *template = template_with("Overrides", "");
  KUBE_OWNED json_t *sandbox =
      quoted("{'metadata':{'name':'p-abcde','resourceVersion':'7'},'spec':{'podTemplate':{'spec':%s}}}", MAIN);
  assert_null(runtime_env_kept(sandbox));
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, template);
  assert_json(kube_get(patch, "spec.podTemplate.spec"),
              "{'containers':[{'name':'main','env':[{'name':'OLD','value':'1'}," X "]}]}");
  assert_string_equal(kube_annotation(patch, "sandplane.dev/runtime-env"), "X,OLD");
  KUBE_OWNED json_t *kept = runtime_env_kept(patch);
  assert_json(kept, "{'OLD':'1','X':'1'}");
}

/* A claim whose values the Sandbox cannot take through its runtime leaves no trace of them there. */
static void test_not_kept(void **s) {
  KUBE_OWNED json_t *claim = claim_with("{'name':'X','value':'$(OLD)'}");
  KUBE_OWNED json_t *template = template_with("Overrides", "");
  KUBE_OWNED json_t *sandbox =
      quoted("{'metadata':{'name':'p-abcde','resourceVersion':'7'},'spec':{'podTemplate':{'spec':%s}}}", MAIN);
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, template);
  assert_null(kube_get(patch, "spec.podTemplate.spec"));
  assert_null(kube_annotation(patch, "sandplane.dev/runtime-env"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),   cmocka_unit_test(test_a_template_that_wants_them_cold),
      cmocka_unit_test(test_size),     cmocka_unit_test(test_kept),
      cmocka_unit_test(test_not_kept),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
