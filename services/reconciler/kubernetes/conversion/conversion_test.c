/* The rules of the conversion, one test each. Objects are written with single quotes for double ones. */
#include "services/reconciler/kubernetes/conversion/conversion.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define A "agents.x-k8s.io/v1alpha1"
#define B "agents.x-k8s.io/v1beta1"
#define XA "extensions.agents.x-k8s.io/v1alpha1"
#define XB "extensions.agents.x-k8s.io/v1beta1"

static json_t *parse(const char *text) {
  CLEANUP(str_freep) char *json = str_dup(text);
  for (char *c = json; *c; c++)
    *c = *c == '\'' ? '"' : *c;
  json_t *v = json_loads(json, 0, NULL);
  if (!v)
    fail_msg("not JSON: %s", text);
  return v;
}

static void assert_json(const json_t *got, const json_t *want) {
  if (json_equal(got, want))
    return;
  CLEANUP(str_freep) char *g = json_dumps(got, JSON_SORT_KEYS);
  CLEANUP(str_freep) char *w = json_dumps(want, JSON_SORT_KEYS);
  fail_msg("\ngot  %s\nwant %s", g, w);
}

/* Converts and checks that the input stays as it is. */
static json_t *convert(const json_t *object, const char *to) {
  KUBE_OWNED json_t *before = json_deep_copy(object);
  json_t *result;
  Error err;
  if (conversion_convert(object, to, &result, &err))
    fail_msg("%s", err.message);
  assert_json(object, before);
  return result;
}

static json_t *object_of(const char *kind, const char *rest) {
  bool core = strcmp(kind, KIND_SANDBOX) == 0;
  CLEANUP(str_freep)
  char *text = str_printf("{'apiVersion':'%s','kind':'%s','metadata':{'name':'own','namespace':'ns'},%s}",
                          core ? A : XA, kind, rest);
  return parse(text);
}

static const char *version_of(const char *kind, bool hub) {
  bool core = strcmp(kind, KIND_SANDBOX) == 0;
  return hub ? (core ? B : XB) : core ? A : XA;
}

/* spec and status of what comes out. */
static void check(const char *kind, bool to_hub, const char *in, const char *want) {
  KUBE_OWNED json_t *object = object_of(kind, in);
  json_object_set_new(object, "apiVersion", json_string(version_of(kind, !to_hub)));
  KUBE_OWNED json_t *got = convert(object, version_of(kind, to_hub));
  assert_string_equal(kube_text(got, "apiVersion"), version_of(kind, to_hub));
  json_object_del(kube_get(got, "metadata"), "annotations");
  KUBE_OWNED json_t *expected = object_of(kind, want);
  json_object_set_new(expected, "apiVersion", json_string(version_of(kind, to_hub)));
  assert_json(got, expected);
}

static void check_up(const char *kind, const char *in, const char *want) {
  check(kind, true, in, want);
}

static void check_down(const char *kind, const char *in, const char *want) {
  check(kind, false, in, want);
}

/* v1beta1 with the saved state in its annotation, to v1alpha1. */
static void check_restore(const char *kind, const char *key, const char *state, const char *in, const char *want) {
  KUBE_OWNED json_t *object = object_of(kind, in);
  json_object_set_new(object, "apiVersion", json_string(version_of(kind, true)));
  KUBE_OWNED json_t *saved = object_of(kind, state);
  CLEANUP(str_freep) char *text = json_dumps(saved, JSON_COMPACT);
  kube_set_annotation(object, key, text);
  KUBE_OWNED json_t *got = convert(object, version_of(kind, false));
  KUBE_OWNED json_t *expected = object_of(kind, want);
  assert_json(got, expected);
}

static void check_refused(const char *object_text, const char *to, const char *part) {
  KUBE_OWNED json_t *object = parse(object_text);
  KUBE_OWNED json_t *before = json_deep_copy(object);
  json_t *unused;
  Error err = {0};
  assert_int_equal(conversion_convert(object, to, &unused, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  if (!strstr(err.message, part))
    fail_msg("'%s' lacks '%s'", err.message, part);
  assert_json(object, before);
}

/* ---- all kinds ---- */

static const char *const KINDS_AND_KEYS[][2] = {
    {KIND_SANDBOX, ANNOTATION_V1ALPHA1_SANDBOX},
    {KIND_CLAIM, ANNOTATION_V1ALPHA1_CLAIM},
    {KIND_TEMPLATE, ANNOTATION_V1ALPHA1_TEMPLATE},
    {KIND_POOL, ANNOTATION_V1ALPHA1_POOL},
};

static void test_saves_the_whole_original(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(KINDS_AND_KEYS); i++) {
    const char *kind = KINDS_AND_KEYS[i][0], *key = KINDS_AND_KEYS[i][1];
    KUBE_OWNED json_t *object = object_of(kind, "'spec':{'replicas':1},'status':{'replicas':0}");
    kube_set_annotation(object, "a/b", "c");
    KUBE_OWNED json_t *got = convert(object, version_of(kind, true));
    assert_null(strstr(kube_annotation(got, key), " "));
    KUBE_OWNED json_t *state = json_loads(kube_annotation(got, key), 0, NULL);
    assert_json(state, object);
    assert_string_equal(kube_annotation(got, "a/b"), "c");
  }
}

static void test_saved_states_never_nest(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(KINDS_AND_KEYS); i++) {
    const char *kind = KINDS_AND_KEYS[i][0], *key = KINDS_AND_KEYS[i][1];
    KUBE_OWNED json_t *bare = object_of(kind, "'spec':{}");
    KUBE_OWNED json_t *object = json_deep_copy(bare);
    kube_set_annotation(object, key, "{\"stale\":true}");
    KUBE_OWNED json_t *got = convert(object, version_of(kind, true));
    KUBE_OWNED json_t *state = json_loads(kube_annotation(got, key), 0, NULL);
    assert_json(state, bare);
  }
}

static void test_v1alpha1_never_sees_the_state(void **s) {
  for (size_t i = 0; i < ARRAY_LEN(KINDS_AND_KEYS); i++) {
    const char *kind = KINDS_AND_KEYS[i][0], *key = KINDS_AND_KEYS[i][1];
    KUBE_OWNED json_t *object = object_of(kind, "'spec':{}");
    json_object_set_new(object, "apiVersion", json_string(version_of(kind, true)));
    kube_set_annotation(object, key, "{}");
    KUBE_OWNED json_t *alone = convert(object, version_of(kind, false));
    assert_null(kube_get(alone, "metadata.annotations"));
    kube_set_annotation(object, "a/b", "c");
    KUBE_OWNED json_t *beside = convert(object, version_of(kind, false));
    assert_null(kube_annotation(beside, key));
    assert_string_equal(kube_annotation(beside, "a/b"), "c");
  }
}

static void test_unparsable_state(void **s) {
  static const char *const STATES[] = {"", "{", "[]", "null", "{\\\"spec\\\":1}"};
  for (size_t i = 0; i < ARRAY_LEN(STATES); i++) {
    CLEANUP(str_freep)
    char *sandbox =
        str_printf("{'apiVersion':'" B "','kind':'Sandbox','metadata':{'annotations':{'%s':'%s'}},'spec':{}}",
                   ANNOTATION_V1ALPHA1_SANDBOX, STATES[i]);
    check_refused(sandbox, A, i < 4 ? "not a JSON object" : "spec");
    CLEANUP(str_freep)
    char *claim =
        str_printf("{'apiVersion':'" XB "','kind':'SandboxClaim','metadata':{'annotations':{'%s':'%s'}},'spec':{}}",
                   ANNOTATION_V1ALPHA1_CLAIM, STATES[i]);
    check_refused(claim, XA, i < 4 ? "not a JSON object" : "spec");
    /* the others do not read it */
    for (size_t k = 2; k < ARRAY_LEN(KINDS_AND_KEYS); k++) {
      KUBE_OWNED json_t *object = object_of(KINDS_AND_KEYS[k][0], "'spec':{}");
      json_object_set_new(object, "apiVersion", json_string(XB));
      kube_set_annotation(object, KINDS_AND_KEYS[k][1], "{");
      KUBE_OWNED json_t *got = convert(object, XA);
      assert_null(kube_get(got, "metadata.annotations"));
    }
  }
}

static void test_same_version_is_a_copy(void **s) {
  KUBE_OWNED json_t *object = object_of(KIND_SANDBOX, "'spec':{'replicas':0,'unknown':[]}");
  kube_set_annotation(object, ANNOTATION_V1ALPHA1_SANDBOX, "{");
  KUBE_OWNED json_t *got = convert(object, A);
  assert_json(got, object);
  assert_ptr_not_equal(got, object);
}

static void test_unknown_kinds_groups_and_versions(void **s) {
  check_refused("{'apiVersion':'" A "','kind':'Pod'}", B, "kind 'Pod'");
  check_refused("{'apiVersion':'" A "'}", B, "kind ''");
  check_refused("{'kind':'Sandbox'}", B, "from ''");
  check_refused("{'apiVersion':'v1','kind':'Sandbox'}", B, "from 'v1'");
  check_refused("{'apiVersion':'" XA "','kind':'Sandbox'}", B, "no conversion");
  check_refused("{'apiVersion':'agents.x-k8s.io/v1','kind':'Sandbox'}", B, "no conversion");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox'}", XB, "no conversion");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox'}", "agents.x-k8s.io/v2", "v2");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox'}", NULL, "to ''");
  check_refused("{'apiVersion':'" A "','kind':7}", B, "kind is not a string");
  check_refused("[]", B, "not a JSON object");
}

static void test_wrong_types_are_refused(void **s) {
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','metadata':[]}", B, "metadata");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','metadata':{'annotations':'x'}}", B, "metadata.annotations");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','spec':[]}", B, "spec");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','status':3}", B, "status");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','spec':{'replicas':'1'}}", B, "spec.replicas");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','spec':{'replicas':1.0}}", B, "spec.replicas");
  check_refused("{'apiVersion':'" A "','kind':'Sandbox','spec':{'replicas':4294967296}}", B, "32 bits");
  check_refused("{'apiVersion':'" B "','kind':'Sandbox','spec':{'operatingMode':1}}", A, "spec.operatingMode");
  check_refused("{'apiVersion':'" XA "','kind':'SandboxClaim','spec':{'sandboxTemplateRef':'t'}}", XB,
                "spec.sandboxTemplateRef.name");
  check_refused("{'apiVersion':'" XB "','kind':'SandboxClaim','spec':{'warmPoolRef':{'name':[]}}}", XA,
                "spec.warmPoolRef.name");
  check_refused("{'apiVersion':'" XA "','kind':'SandboxWarmPool','spec':{'replicas':true}}", XB, "spec.replicas");
}

/* What conversion does not name passes as it is: nil lists stay away, empty ones stay empty. */
static void test_the_rest_is_copied(void **s) {
  static const char *const REST =
      "'podTemplate':{'spec':{'containers':[{'name':'c','args':[]}]},'metadata':{'labels':{}}},'env':[],"
      "'lifecycle':{'shutdownPolicy':''},'networkPolicy':{'egress':[],'ingress':[{}]},'service':false";
  for (size_t i = 0; i < ARRAY_LEN(KINDS_AND_KEYS); i++) {
    const char *kind = KINDS_AND_KEYS[i][0];
    for (int hub = 0; hub < 2; hub++) {
      CLEANUP(str_freep) char *spec = str_printf("'spec':{%s},'status':{'conditions':[],'selector':''}", REST);
      KUBE_OWNED json_t *object = object_of(kind, spec);
      json_object_set_new(object, "apiVersion", json_string(version_of(kind, !hub)));
      KUBE_OWNED json_t *got = convert(object, version_of(kind, hub));
      const char *key;
      json_t *value;
      json_object_foreach(json_object_get(object, "spec"), key, value)
          assert_json(json_object_get(json_object_get(got, "spec"), key), value);
      json_object_foreach(json_object_get(object, "status"), key, value)
          assert_json(json_object_get(json_object_get(got, "status"), key), value);
      assert_null(kube_get(got, "spec.volumeClaimTemplates"));
    }
  }
}

/* ---- Sandbox ---- */

static void test_sandbox_up(void **s) {
  check_up(KIND_SANDBOX, "'spec':{'replicas':0}", "'spec':{'operatingMode':'Suspended'}");
  check_up(KIND_SANDBOX, "'spec':{'replicas':1}", "'spec':{'operatingMode':'Running'}");
  check_up(KIND_SANDBOX, "'spec':{}", "'spec':{'operatingMode':'Running'}");
  check_up(KIND_SANDBOX, "'spec':{'replicas':null}", "'spec':{'operatingMode':'Running'}");
  check_up(KIND_SANDBOX,
           "'spec':{'replicas':1,'service':true,'shutdownTime':'t','shutdownPolicy':'Retain',"
           "'volumeClaimTemplates':[]},"
           "'status':{'replicas':1,'service':'s','serviceFQDN':'f','selector':'x','podIPs':['1.2.3.4']}",
           "'spec':{'operatingMode':'Running','service':true,'shutdownTime':'t','shutdownPolicy':'Retain',"
           "'volumeClaimTemplates':[]},'status':{'service':'s','serviceFQDN':'f','selector':'x','podIPs':['1.2.3.4']}");
}

static void test_sandbox_down(void **s) {
  check_down(KIND_SANDBOX, "'spec':{'operatingMode':'Suspended'}", "'spec':{'replicas':0},'status':{'replicas':0}");
  check_down(KIND_SANDBOX, "'spec':{'operatingMode':'Running'}", "'spec':{'replicas':1},'status':{'replicas':1}");
  check_down(KIND_SANDBOX, "'spec':{}", "'spec':{'replicas':1},'status':{'replicas':1}");
  check_down(KIND_SANDBOX, "'spec':{'operatingMode':''},'status':{'nodeName':'n','service':'s'}",
             "'spec':{'replicas':1},'status':{'replicas':1,'service':'s'}");
}

static void check_sandbox_restore(const char *state, const char *in, const char *want) {
  check_restore(KIND_SANDBOX, ANNOTATION_V1ALPHA1_SANDBOX, state, in, want);
}

static void test_sandbox_restore_replicas(void **s) {
  check_sandbox_restore("'spec':{'replicas':1}", "'spec':{'operatingMode':'Suspended'}", "'spec':{'replicas':0}");
  check_sandbox_restore("'spec':{'replicas':1}", "'spec':{'operatingMode':'Running'}", "'spec':{'replicas':1}");
  check_sandbox_restore("'spec':{'replicas':2}", "'spec':{'operatingMode':'Running'}", "'spec':{'replicas':2}");
  check_sandbox_restore("'spec':{}", "'spec':{'operatingMode':'Running'}", "'spec':{}");
  check_sandbox_restore("'spec':{'replicas':null}", "'spec':{'operatingMode':'Running'}", "'spec':{}");
  check_sandbox_restore("'spec':{'replicas':0}", "'spec':{'operatingMode':'Running'}", "'spec':{'replicas':1}");
  check_sandbox_restore("'spec':{'replicas':2}", "'spec':{'operatingMode':''}", "'spec':{'replicas':1}");
  check_sandbox_restore("'spec':{}", "'spec':{}", "'spec':{'replicas':1}");
}

static void test_sandbox_restore_seen_replicas(void **s) {
  check_sandbox_restore("'spec':{},'status':{'replicas':0}",
                        "'spec':{'operatingMode':'Running'},'status':{'service':'s'}",
                        "'spec':{},'status':{'replicas':0,'service':'s'}");
  check_sandbox_restore("'spec':{},'status':{'replicas':1}", "'spec':{'operatingMode':'Suspended'},'status':{}",
                        "'spec':{'replicas':0},'status':{'replicas':1}");
  /* written before there was a status */
  check_sandbox_restore("'spec':{}", "'spec':{'operatingMode':'Running'},'status':{'nodeName':'n'}",
                        "'spec':{},'status':{'replicas':0}");
  check_sandbox_restore("'spec':{}", "'spec':{'operatingMode':'Running'}", "'spec':{}");
  /* a status without the number */
  check_sandbox_restore("'spec':{},'status':{'service':'s'}",
                        "'spec':{'operatingMode':'Running'},'status':{'service':'s'}",
                        "'spec':{},'status':{'service':'s'}");
}

/* ---- SandboxClaim ---- */

static void test_claim_up(void **s) {
  static const struct {
    const char *spec, *status, *pool;
  } CASES[] = {
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'p'", "{}", "p"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'p'", "{'sandbox':{'name':'q-x1'}}", "p"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'default'", "{'sandbox':{'name':'q-r-x1'}}", "q-r"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'none'", "{'sandbox':{'name':'plain'}}", "plain"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'default'", "{'sandbox':{'name':'own'}}", "shadow-pool-t"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'default'", "{'sandbox':{'name':''}}", "shadow-pool-t"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':'none'", "{'sandbox':{}}", "shadow-pool-t"},
      {"'sandboxTemplateRef':{'name':'t'},'warmpool':''", "{}", "shadow-pool-t"},
      {"'sandboxTemplateRef':{'name':'t'}", "{}", "shadow-pool-t"},
      {"'sandboxTemplateRef':{'name':'t'},'volumeClaimTemplates':[]", "{}", "shadow-pool-t"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    CLEANUP(str_freep) char *in = str_printf("'spec':{'env':[],%s},'status':%s", CASES[i].spec, CASES[i].status);
    CLEANUP(str_freep)
    char *want =
        str_printf("'spec':{'env':[],'warmPoolRef':{'name':'%s'}},'status':%s", CASES[i].pool, CASES[i].status);
    check_up(KIND_CLAIM, in, want);
  }
}

static void test_claim_down(void **s) {
  check_down(KIND_CLAIM, "'spec':{'warmPoolRef':{'name':'shadow-pool-t'}}",
             "'spec':{'sandboxTemplateRef':{'name':'t'},'warmpool':'default'}");
  check_down(KIND_CLAIM, "'spec':{'warmPoolRef':{'name':'p'}}",
             "'spec':{'sandboxTemplateRef':{'name':'p'},'warmpool':'p'}");
  check_down(KIND_CLAIM, "'spec':{'warmPoolRef':{'name':'p'},'volumeClaimTemplates':[{'spec':{}}]}",
             "'spec':{'sandboxTemplateRef':{'name':'p'},'warmpool':'p'}");
}

static void test_claim_restore(void **s) {
  static const struct {
    const char *state, *pool, *status, *want;
  } CASES[] = {
      /* unchanged: a specific pool, or made of the template, or of the sandbox */
      {"'warmpool':'p'", "p", "{}", "'warmpool':'p'"},
      {"'warmpool':'p'", "shadow-pool-p", "{}", "'warmpool':'p'"},
      {"'warmpool':'none'", "shadow-pool-t", "{}", "'warmpool':'none'"},
      {"'warmpool':'default'", "t", "{}", "'warmpool':'default'"},
      {"'warmpool':''", "shadow-pool-t", "{}", "'warmpool':''"},
      {"'env':[]", "shadow-pool-t", "{}", NULL},
      {"'warmpool':'none'", "q", "{'sandbox':{'name':'q-x1'}}", "'warmpool':'none'"},
      {"'warmpool':'none'", "q-x1", "{'sandbox':{'name':'q-x1'}}", "'warmpool':'none'"},
      {"'warmpool':'p'", "q", "{'sandbox':{'name':'q-x1'}}", "'warmpool':'p'"},
      /* changed */
      {"'warmpool':'p'", "q", "{}", "'warmpool':'q'"},
      {"'warmpool':'p'", "shadow-pool-t", "{}", "'warmpool':'shadow-pool-t'"},
      {"'warmpool':'none'", "q", "{'sandbox':{'name':''}}", "'warmpool':'q'"},
      {"'env':[]", "q", "{}", "'warmpool':'q'"},
      {"'warmpool':'p'", "t", "{}", "'warmpool':'t'"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    CLEANUP(str_freep) char *state = str_printf("'spec':{'sandboxTemplateRef':{'name':'t'},%s}", CASES[i].state);
    CLEANUP(str_freep)
    char *in = str_printf("'spec':{'warmPoolRef':{'name':'%s'}},'status':%s", CASES[i].pool, CASES[i].status);
    CLEANUP(str_freep)
    char *want = str_printf("'spec':{'sandboxTemplateRef':{'name':'t'}%s%s},'status':%s", CASES[i].want ? "," : "",
                            CASES[i].want ? CASES[i].want : "", CASES[i].status);
    check_restore(KIND_CLAIM, ANNOTATION_V1ALPHA1_CLAIM, state, in, want);
  }
}

/* ---- SandboxTemplate ---- */

static json_t *template_with(const char *version, const char *annotation, const char *spec) {
  KUBE_OWNED json_t *parsed = parse(spec);
  json_t *object = object_of(KIND_TEMPLATE, "'spec':{}");
  json_object_set_new(object, "apiVersion", json_string(version));
  json_object_set(object, "spec", parsed);
  if (annotation)
    kube_set_annotation(object, ANNOTATION_VCT_POLICY, annotation);
  return object;
}

static void test_template_policy_down(void **s) {
  static const char *const POLICIES[] = {"Allowed", "Overrides", "Disallowed"};
  for (size_t i = 0; i < ARRAY_LEN(POLICIES); i++) {
    CLEANUP(str_freep) char *spec = str_printf("{'volumeClaimTemplatesPolicy':'%s'}", POLICIES[i]);
    KUBE_OWNED json_t *object = template_with(XB, "stray", spec);
    KUBE_OWNED json_t *got = convert(object, XA);
    KUBE_OWNED json_t *want = template_with(XA, POLICIES[i], "{}");
    assert_json(got, want);
  }
  static const char *const NONE[] = {"{}", "{'volumeClaimTemplatesPolicy':''}", "{'volumeClaimTemplatesPolicy':null}"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
    KUBE_OWNED json_t *object = template_with(XB, "stray", NONE[i]);
    KUBE_OWNED json_t *got = convert(object, XA);
    KUBE_OWNED json_t *want = template_with(XA, NULL, "{}");
    assert_json(got, want);
  }
}

static void test_template_policy_up(void **s) {
  KUBE_OWNED json_t *object = template_with(XA, "Allowed", "{'service':true}");
  KUBE_OWNED json_t *got = convert(object, XB);
  assert_string_equal(kube_text(got, "spec.volumeClaimTemplatesPolicy"), "Allowed");
  assert_null(kube_annotation(got, ANNOTATION_VCT_POLICY));
  /* the snapshot is of the source, which had it */
  KUBE_OWNED json_t *state = json_loads(kube_annotation(got, ANNOTATION_V1ALPHA1_TEMPLATE), 0, NULL);
  assert_json(state, object);
  KUBE_OWNED json_t *without = template_with(XA, NULL, "{'volumeClaimTemplatesPolicy':'Allowed'}");
  KUBE_OWNED json_t *dropped = convert(without, XB);
  assert_null(kube_get(dropped, "spec.volumeClaimTemplatesPolicy"));
}

static void test_template_policy_refused(void **s) {
  static const char *const BAD[] = {"", "allowed", "Allowed ", "Everything"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    CLEANUP(str_freep)
    char *text =
        str_printf("{'apiVersion':'" XA "','kind':'SandboxTemplate','metadata':{'annotations':{'%s':'%s'}},'spec':{}}",
                   ANNOTATION_VCT_POLICY, BAD[i]);
    check_refused(text, XB, *BAD[i] ? BAD[i] : ANNOTATION_VCT_POLICY);
  }
}

/* ---- SandboxWarmPool ---- */

static void test_pool(void **s) {
  check_up(KIND_POOL, "'spec':{'replicas':3,'sandboxTemplateRef':{'name':'t'}}",
           "'spec':{'replicas':3,'sandboxTemplateRef':{'name':'t'}}");
  check_up(KIND_POOL, "'spec':{}", "'spec':{'replicas':0}");
  check_down(KIND_POOL, "'spec':{'replicas':0}", "'spec':{'replicas':0}");
  check_down(KIND_POOL, "'spec':{}", "'spec':{'replicas':1}");
  check_down(KIND_POOL, "'spec':{'replicas':null,'updateStrategy':{}}", "'spec':{'replicas':1,'updateStrategy':{}}");
  check_down(KIND_POOL,
             "'spec':{'replicas':2,'updateStrategy':{'type':'Recreate'}},"
             "'status':{'observedGeneration':4,'replicas':2,'readyReplicas':1,'selector':'s'}",
             "'spec':{'replicas':2,'updateStrategy':{'type':'Recreate'}},"
             "'status':{'replicas':2,'readyReplicas':1,'selector':'s'}");
  check_up(KIND_POOL, "'spec':{'replicas':2},'status':{'observedGeneration':4,'replicas':2,'readyReplicas':1}",
           "'spec':{'replicas':2},'status':{'replicas':2,'readyReplicas':1}");
}

/* A field of its own that v1alpha1 lacks: a writer of the old version does not lose it. */
static void test_pool_grace(void **s) {
  KUBE_OWNED json_t *pool = parse("{'apiVersion':'" XB "','kind':'SandboxWarmPool','metadata':{'name':'n'},"
                                  "'spec':{'replicas':2,'readinessGracePeriodSeconds':600}}");
  KUBE_OWNED json_t *old = convert(pool, XA);
  assert_null(kube_get(old, "spec.readinessGracePeriodSeconds"));
  assert_string_equal(kube_annotation(old, ANNOTATION_POOL_GRACE), "600");
  KUBE_OWNED json_t *back = convert(old, XB);
  assert_int_equal(kube_int(back, "spec.readinessGracePeriodSeconds", 0), 600);
  assert_null(kube_annotation(back, ANNOTATION_POOL_GRACE));
  static const char *const BAD[] = {"", "29", "x", "600s", "2147483648"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    CLEANUP(str_freep)
    char *text =
        str_printf("{'apiVersion':'" XA "','kind':'SandboxWarmPool','metadata':{'annotations':{'%s':'%s'}},'spec':{}}",
                   ANNOTATION_POOL_GRACE, BAD[i]);
    check_refused(text, XB, ANNOTATION_POOL_GRACE);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_saves_the_whole_original),
      cmocka_unit_test(test_saved_states_never_nest),
      cmocka_unit_test(test_v1alpha1_never_sees_the_state),
      cmocka_unit_test(test_unparsable_state),
      cmocka_unit_test(test_same_version_is_a_copy),
      cmocka_unit_test(test_unknown_kinds_groups_and_versions),
      cmocka_unit_test(test_wrong_types_are_refused),
      cmocka_unit_test(test_the_rest_is_copied),
      cmocka_unit_test(test_sandbox_up),
      cmocka_unit_test(test_sandbox_down),
      cmocka_unit_test(test_sandbox_restore_replicas),
      cmocka_unit_test(test_sandbox_restore_seen_replicas),
      cmocka_unit_test(test_claim_up),
      cmocka_unit_test(test_claim_down),
      cmocka_unit_test(test_claim_restore),
      cmocka_unit_test(test_template_policy_down),
      cmocka_unit_test(test_template_policy_up),
      cmocka_unit_test(test_template_policy_refused),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_pool_grace),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
