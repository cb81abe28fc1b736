/* Manifests that are taken, manifests that are refused and by which field, and thousands that are nonsense. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/test.h"
#include "lib/manifest/manifest.h"
#include "lib/manifest/manifest_env.h"

static char *slurp(const char *path) {
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  char *text = calloc(1, 65536);
  assert_non_null(text);
  assert_true(fread(text, 1, 65535, f) > 0);
  fclose(f);
  return text;
}

static void the_tutorial_is_taken(void **state) {
  char *text = slurp("examples/python-template.yaml");
  Manifest m;
  Error err;
  assert_ok(manifest_parse(text, strlen(text), &m, &err), &err);
  assert_int_equal(m.kind, MANIFEST_TEMPLATE);
  assert_string_equal(m.template_.name, "python-runtime-template");
  assert_string_equal(m.template_.runtime_class, "gvisor");
  assert_string_equal(m.template_.image, "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.1.0");
  assert_int_equal(m.template_.ready_port, 8888);
  assert_int_equal(m.template_.ready_period_ms, 1000);
  assert_int_equal(m.template_.ephemeral_bytes, (int64_t)512 << 20);
  /* the canonical form is itself a manifest, with the same hash */
  Manifest again;
  assert_ok(manifest_parse(m.template_.canonical, strlen(m.template_.canonical), &again, &err), &err);
  assert_string_equal(again.template_.hash, m.template_.hash);
  assert_string_equal(again.template_.canonical, m.template_.canonical);
  manifest_deinit(&again);
  manifest_deinit(&m);
  free(text);
  text = slurp("examples/python-warmpool.yaml");
  assert_ok(manifest_parse(text, strlen(text), &m, &err), &err);
  assert_int_equal(m.kind, MANIFEST_POOL);
  assert_string_equal(m.pool.template_name, "python-runtime-template");
  manifest_deinit(&m);
  free(text);
}

static void shapes(void **state) {
  static const struct {
    const char *json, *shape;
  } CASES[] = {
      {"{\"spec\":{\"podTemplate\":{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"2\",\"memory\":"
       "\"1Gi\"},\"requests\":{\"cpu\":\"250m\"}}},{\"resources\":{\"requests\":{\"cpu\":1,\"memory\":1000}}}]}}}}",
       "1250/1073742824"},
      {"{\"podTemplate\":{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}}", "0/0"},
      {"{\"podTemplate\":{\"spec\":{\"containers\":[{\"resources\":{\"limits\":{\"cpu\":\"lots\",\"memory\":\"2048Ti\"}"
       "}}]}}}",
       "1125899906842624/1125899906842624"},
      {"{}", ""},
      {"no", ""},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    char shape[MANIFEST_SHAPE_MAX];
    manifest_shape(CASES[i].json, shape);
    assert_string_equal(shape, CASES[i].shape);
  }
}

#define HEAD "apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxTemplate\nmetadata: {name: t}\n"
#define POD(rest) HEAD "spec: {podTemplate: {spec: {" rest "}}}\n"
#define C(rest) POD("containers: [{name: c, image: i, " rest "}]")
#define OURS "extensions.agents.x-k8s.io/v1beta1"
#define POOL(spec) "apiVersion: " OURS "\nkind: SandboxWarmPool\nmetadata: {name: p}\nspec: " spec "\n"
#define SPEC "spec.podTemplate.spec."
#define CONTAINER SPEC "containers[0]."

static void refused_by_field(void **state) {
  static const struct {
    const char *text, *field;
    ErrorKind kind;
  } CASES[] = {
      {"", "", ERROR_INVALID_ARGUMENT},
      {"- a\n", "", ERROR_INVALID_ARGUMENT},
      {"a: &x 1\nb: *x\n", "", ERROR_INVALID_ARGUMENT},
      {"a: 1\na: 2\n", "", ERROR_INVALID_ARGUMENT},
      {"a: !!str 1\n", "", ERROR_INVALID_ARGUMENT},
      {"a: 1\n---\nb: 2\n", "", ERROR_INVALID_ARGUMENT},
      {"apiVersion: v1\nkind: Pod\n", "apiVersion", ERROR_INVALID_ARGUMENT},
      {"apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: Nope\n", "kind", ERROR_INVALID_ARGUMENT},
      {HEAD, "spec", ERROR_INVALID_ARGUMENT},
      {HEAD "spec: {podTemplate: {}}\n", "spec.podTemplate.spec", ERROR_INVALID_ARGUMENT},
      {HEAD "spec: {nope: 1}\n", "spec.nope", ERROR_INVALID_ARGUMENT},
      {"apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxTemplate\nmetadata: {name: t, lables: {}}\n",
       "metadata.lables", ERROR_INVALID_ARGUMENT},
      {"apiVersion: agents.x-k8s.io/v1alpha1\nkind: SandboxTemplate\n", "apiVersion", ERROR_INVALID_ARGUMENT},
      {POD("containers: []"), SPEC "containers", ERROR_INVALID_ARGUMENT},
      {POD("containers: [{name: a, image: i}, {name: b, image: i}]"), SPEC "containers", ERROR_FAILED_PRECONDITION},
      {POD("hostNetwork: true, containers: [{name: c, image: i}]"), SPEC "hostNetwork", ERROR_FAILED_PRECONDITION},
      {POD("volumes: [{name: v}], containers: [{name: c, image: i}]"), SPEC "volumes", ERROR_FAILED_PRECONDITION},
      {C("imagge: x"), CONTAINER "imagge", ERROR_INVALID_ARGUMENT},
      {C("env: [{name: 1A}]"), CONTAINER "env[0].name", ERROR_INVALID_ARGUMENT},
      {C("env: [{name: A, value: 1}]"), CONTAINER "env[0].value", ERROR_INVALID_ARGUMENT},
      {C("resources: {limits: {memory: lots}}"), CONTAINER "resources.limits.memory", ERROR_INVALID_ARGUMENT},
      {C("resources: {limits: {gpu: 1}}"), CONTAINER "resources.limits.gpu", ERROR_FAILED_PRECONDITION},
      {C("securityContext: {privileged: true}"), CONTAINER "securityContext.privileged", ERROR_FAILED_PRECONDITION},
      {C("securityContext: {privileged: yes}"), CONTAINER "securityContext.privileged", ERROR_INVALID_ARGUMENT},
      {C("securityContext: {runAsUser: 0}"), CONTAINER "securityContext.runAsUser", ERROR_FAILED_PRECONDITION},
      {C("securityContext: {capabilities: {add: [NET_ADMIN]}}"), CONTAINER "securityContext.capabilities.add",
       ERROR_FAILED_PRECONDITION},
      {C("readinessProbe: {httpGet: {port: 70000}}"), CONTAINER "readinessProbe.httpGet.port", ERROR_INVALID_ARGUMENT},
      {C("command: [sleep]"), CONTAINER "command", ERROR_FAILED_PRECONDITION},
      {"apiVersion: extensions.agents.x-k8s.io/v1beta1\nkind: SandboxWarmPool\nmetadata: {name: p}\nspec: {replicas: "
       "-1}\n",
       "spec.replicas", ERROR_INVALID_ARGUMENT},
      {POOL("{templateRef: {name: t}, replicas: 5}"), "spec.templateRef", ERROR_INVALID_ARGUMENT},
      {POOL("{sandboxTemplateRef: {name: t, namespace: n}}"), "spec.sandboxTemplateRef.namespace",
       ERROR_INVALID_ARGUMENT},
      {POOL("{sandboxTemplateRef: {name: t}, replicas: \"3\"}"), "spec.replicas", ERROR_INVALID_ARGUMENT},
      {POOL("{sandboxTemplateRef: {name: t}, replicas: 2147483647}"), "spec.replicas", ERROR_INVALID_ARGUMENT},
      {POOL("{sandboxTemplateRef: {name: t}, readinessGracePeriodSeconds: 29}"), "spec.readinessGracePeriodSeconds",
       ERROR_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    Manifest m;
    Error err = {0};
    int rc = manifest_parse(CASES[i].text, strlen(CASES[i].text), &m, &err);
    if (rc != -1 || err.kind != CASES[i].kind || strcmp(err.field, CASES[i].field) != 0)
      fail_msg("case %zu: rc %d %s at \"%s\": %s", i, rc, error_kind_name(err.kind), err.field, err.message);
  }
}

static void deep_nesting_is_refused(void **state) {
  char text[2001];
  memset(text, '[', 1000);
  memset(text + 1000, ']', 1000);
  text[2000] = 0;
  Manifest m;
  Error err;
  assert_int_equal(manifest_parse(text, 2000, &m, &err), -1);
}

static void quantities(void **state) {
  static const struct {
    const char *text;
    int64_t milli;
  } GOOD[] = {{"1", 1000},
              {"250m", 250},
              {"0.5", 500},
              {"1k", 1000000},
              {"512Mi", 536870912000},
              {"1Gi", 1073741824000},
              {"1.5G", 1500000000000}};
  for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
    int64_t v;
    assert_int_equal(manifest_quantity(GOOD[i].text, &v), 0);
    assert_int_equal(v, GOOD[i].milli);
  }
  static const char *const BAD[] = {"", "x", "-1", "1 Gi", "1gi", "0x10", "1e99Ti", "nan", "inf", "1Mib"};
  for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
    int64_t v;
    assert_int_equal(manifest_quantity(BAD[i], &v), -1);
  }
}

/* "line.item apiVersion kind name verdict;" of each. */
static int tell_doc(void *arg, const ManifestDocument *doc, Error *err) {
  char *said = arg;
  Error own = {0};
  int rc = manifest_belongs(doc, &own);
  sprintf(said + strlen(said), "%d.%d %s %s %s %d%s;", doc->line, doc->item, doc->api_version, doc->kind, doc->name, rc,
          own.field);
  return 0;
}

static void expect_docs(const char *text, const char *want) {
  char said[1024] = "";
  Error err = {0};
  if (manifest_each(text, strlen(text), tell_doc, said, &err) != 0)
    fail_msg("%s", err.message);
  assert_string_equal(said, want);
}

static void what_a_file_holds(void **state) {
  expect_docs("# only a comment\n---\na: 1\n---\n\n--- \nb: 2\nc: 3\n---\n", "3.-1    0;7.-1    0;");
  expect_docs("apiVersion: v1\nkind: List\nmetadata: {resourceVersion: \"\"}\nitems:\n"
              "- {apiVersion: " OURS ", kind: SandboxTemplate, metadata: {name: t}}\n"
              "- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n---\nkind: Deployment\napiVersion: apps/v1\n",
              "1.0 " OURS " SandboxTemplate t 0;1.1 v1 ConfigMap c 1;8.-1 apps/v1 Deployment  1;");
  expect_docs("{\"apiVersion\":\"" OURS "\",\"kind\":\"SandboxWarmPoolList\",\"items\":[]}", "");
  /* near enough to be a mistake, or made otherwise */
  expect_docs("{apiVersion: agents.x-k8s.io/v1alpha1, kind: SandboxTemplate}",
              "1.-1 agents.x-k8s.io/v1alpha1 SandboxTemplate  0;");
  expect_docs("{apiVersion: " OURS ", kind: SandboxWarmpool}", "1.-1 " OURS " SandboxWarmpool  0;");
  expect_docs("{apiVersion: agent-sandbox.io/v1, kind: Thing}", "1.-1 agent-sandbox.io/v1 Thing  0;");
  expect_docs("{apiVersion: " OURS ", kind: SandboxClaim}", "1.-1 " OURS " SandboxClaim  -1kind;");
  static const char *const BAD[] = {"{apiVersion: v1, kind: List}", "{apiVersion: v1, kind: List, items: [1]}",
                                    "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: []}]}"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    char said[64] = "";
    Error err = {0};
    assert_int_equal(manifest_each(BAD[i], strlen(BAD[i]), tell_doc, said, &err), -1);
    if (strncmp(err.field, "items", 5) != 0)
      fail_msg("%s: %s", BAD[i], err.message);
  }
}

/* As kubectl get -o yaml prints it: the same template, with the same hash. */
static void what_a_server_adds_is_left_out(void **state) {
  static const char PLAIN[] = HEAD "spec: {podTemplate: {metadata: {}, spec: {containers: [{name: c, image: i}]}}}\n";
  static const char SHOWN[] =
      "apiVersion: " OURS "\nkind: SandboxTemplate\nmetadata:\n  annotations:\n"
      "    kubectl.kubernetes.io/last-applied-configuration: |\n      {\"kind\":\"SandboxTemplate\"}\n"
      "  creationTimestamp: \"2026-11-30T00:00:00Z\"\n  generation: 2\n  managedFields:\n  - manager: kubectl\n"
      "    fieldsV1: {f:spec: {}}\n  name: t\n  namespace: default\n  resourceVersion: \"77\"\n  uid: 1-2-3\n"
      "  finalizers: [x/y]\n  ownerReferences: []\nspec:\n  podTemplate:\n    metadata: {creationTimestamp: null}\n"
      "    spec:\n      containers:\n      - {name: c, image: i}\nstatus: {conditions: []}\n";
  Manifest plain, shown;
  Error err = {0};
  assert_ok(manifest_parse(PLAIN, strlen(PLAIN), &plain, &err), &err);
  if (manifest_parse(SHOWN, strlen(SHOWN), &shown, &err) != 0)
    fail_msg("%s", err.message);
  assert_string_equal(shown.template_.canonical, plain.template_.canonical);
  assert_string_equal(shown.template_.hash, plain.template_.hash);
  manifest_deinit(&plain);
  manifest_deinit(&shown);
}

static void expect_env(const char *value, const char *want) {
  static ManifestEnv ENV[] = {{"A", "first"}, {"B", "$(A) $$ )("}, {"A", "a"}, {"E", ""}};
  char *got = manifest_env_expand(value, ENV, ARRAY_LEN(ENV));
  assert_non_null(got);
  assert_string_equal(got, want);
  free(got);
}

static void variables_in_env(void **state) {
  expect_env("", "");
  expect_env("plain $ text$", "plain $ text$");
  expect_env("$(A)-$(B)-$(E)|", "a-$(A) $$ )(-|");
  expect_env("$(NONE) $(A", "$(NONE) $(A");
  expect_env("$$(A) $$$(A) $$$$(A) $$", "$(A) $a $$(A) $");
  expect_env("$() $( A) $(A)) ${A} $A", "$() $( A) a) ${A} $A");
  static const char TEXT[] = C("env: [{name: P, value: \"a\\nb\\n\"}, {name: Q, value: \"$(P) and $$(P) and $(R)\"}, "
                               "{name: R, value: \"$(Q)\"}]");
  Manifest m;
  Error err = {0};
  if (manifest_parse(TEXT, strlen(TEXT), &m, &err) != 0)
    fail_msg("%s", err.message);
  assert_string_equal(m.template_.env[1].value, "a\nb\n and $(P) and $(R)");
  assert_string_equal(m.template_.env[2].value, "a\nb\n and $(P) and $(R)");
  /* and as they were written, where Kubernetes does it */
  assert_contains(m.template_.canonical, "$(P) and $$(P) and $(R)");
  manifest_deinit(&m);
}

/* Each doubles the one before it. */
static void variables_that_grow(void **state) {
  Buf text = BUF_INIT(1 << 20);
  assert_int_equal(buf_append_str(&text, HEAD "spec: {podTemplate: {spec: {containers: [{name: c, image: i, env: ["
                                              "{name: A0, value: xxxxxxxx}"),
                   0);
  for (int i = 1; i < 40; i++)
    assert_int_equal(buf_printf(&text, ", {name: A%d, value: \"$(A%d)$(A%d)\"}", i, i - 1, i - 1), 0);
  assert_int_equal(buf_append_str(&text, "]}]}}}\n"), 0);
  Manifest m;
  Error err = {0};
  assert_int_equal(manifest_parse(buf_str(&text), text.len, &m, &err), -1);
  assert_string_equal(err.field, CONTAINER "env[15].value");
  buf_deinit(&text);
}

static void json_is_read_as_json(void **state) {
  static const char TEXT[] = "{\"apiVersion\":\"" OURS
                             "\",\"kind\":\"SandboxTemplate\",\"metadata\":{\"name\":\"t\"},\"spec\":{\"podTemplate\":"
                             "{\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\",\"env\":[{\"name\":\"A\","
                             "\"value\":\"\\ud83d\\ude80 \xc2\x85"
                             "\xe2\x80\xa8\"}]}]}}}}";
  Manifest m;
  Error err = {0};
  if (manifest_parse(TEXT, strlen(TEXT), &m, &err) != 0)
    fail_msg("%s", err.message);
  assert_string_equal(m.template_.env[0].value, "\xf0\x9f\x9a\x80 \xc2\x85\xe2\x80\xa8");
  manifest_deinit(&m);
}

/* A fixed seed: a failure comes back. */
static void nonsense_never_crashes(void **state) {
  char *text = slurp("examples/python-template.yaml");
  size_t len = strlen(text);
  uint64_t seed = 88172645463325252u;
  int taken = 0;
  for (int round = 0; round < 20000; round++) {
    char copy[4096];
    memcpy(copy, text, len);
    for (int k = 0; k < 1 + round % 7; k++) {
      seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
      copy[seed % len] = (char)(seed >> 32);
    }
    Manifest m;
    Error err = {0};
    if (manifest_parse(copy, len, &m, &err) == 0) {
      taken++;
      manifest_deinit(&m);
    } else {
      assert_true(err.kind == ERROR_INVALID_ARGUMENT || err.kind == ERROR_FAILED_PRECONDITION);
      assert_true(*err.message);
    }
  }
  assert_true(taken > 0); /* some changes touch only words that may be any */
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_tutorial_is_taken),
      cmocka_unit_test(shapes),
      cmocka_unit_test(refused_by_field),
      cmocka_unit_test(deep_nesting_is_refused),
      cmocka_unit_test(quantities),
      cmocka_unit_test(what_a_file_holds),
      cmocka_unit_test(what_a_server_adds_is_left_out),
      cmocka_unit_test(variables_in_env),
      cmocka_unit_test(variables_that_grow),
      cmocka_unit_test(json_is_read_as_json),
      cmocka_unit_test(nonsense_never_crashes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
