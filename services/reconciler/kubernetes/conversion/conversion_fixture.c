/* See conversion_fixture.h. */
#include "services/reconciler/kubernetes/conversion/conversion_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* xorshift64* */
uint64_t random_next(Random *r) {
  r->state ^= r->state >> 12;
  r->state ^= r->state << 25;
  r->state ^= r->state >> 27;
  return r->state * 2685821657736338717ULL;
}

uint64_t random_below(Random *r, uint64_t n) {
  return (random_next(r) >> 16) % n;
}

bool random_once_in(Random *r, uint64_t n) {
  return random_below(r, n) == 0;
}

const char *random_api_version(RandomKind kind, bool hub) {
  if (kind == RANDOM_SANDBOX)
    return hub ? AGENTS_V1BETA1 : AGENTS_GROUP "/v1alpha1";
  return hub ? EXTENSIONS_V1BETA1 : EXTENSIONS_GROUP "/v1alpha1";
}

const char *random_state_key(RandomKind kind) {
  static const char *const KEYS[] = {ANNOTATION_V1ALPHA1_SANDBOX, ANNOTATION_V1ALPHA1_CLAIM,
                                     ANNOTATION_V1ALPHA1_TEMPLATE, ANNOTATION_V1ALPHA1_POOL};
  return KEYS[kind];
}

/* Names that meet each other often, and the special ones. */
static const char *const NAMES[] = {"a",    "b",       "a-b",           "a-b-x7k2p",     "own",
                                    "none", "default", "shadow-pool-a", "shadow-pool-b", "shadow-pool-"};

#define PICK(r, list) ((list)[random_below(r, ARRAY_LEN(list))])

static json_t *text(Random *r) {
  static const char *const TEXTS[] = {"",     "x",   "\"\\/\b\n\t", "Gr\u00fc\u00dfe \U0001f600", "{\"a\":[1]}",
                                      "\x7f", "null"};
  return random_once_in(r, 2) ? json_string(PICK(r, TEXTS)) : json_string(PICK(r, NAMES));
}

json_t *random_value(Random *r, int depth) {
  static const int64_t NUMBERS[] = {0, 1, -1, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 1LL << 53};
  json_t *v;
  switch (random_below(r, depth > 0 ? 8 : 5)) {
  case 0:
    return json_boolean(random_once_in(r, 2));
  case 1:
    return json_integer(PICK(r, NUMBERS));
  case 2:
    return json_real((double)random_below(r, 1000) / 8);
  case 3:
  case 4:
    return text(r);
  case 5:
    v = json_array();
    for (uint64_t n = random_below(r, 4); n; n--)
      json_array_append_new(v, random_value(r, depth - 1));
    return v;
  default:
    v = json_object();
    for (uint64_t n = random_below(r, 4); n; n--)
      json_object_set_new(v, PICK(r, NAMES), random_value(r, depth - 1));
    return v;
  }
}

static json_t *list(Random *r) {
  json_t *v = json_array();
  for (uint64_t n = random_below(r, 3); n; n--)
    json_array_append_new(v, random_value(r, 2));
  return v;
}

/* Sets the field in two of three objects; the value is ours in any case. */
static void perhaps(Random *r, json_t *object, const char *path, json_t *value) {
  if (random_once_in(r, 3))
    json_decref(value);
  else
    kube_set(object, path, value);
}

static json_t *name(Random *r) {
  return json_string(PICK(r, NAMES));
}

static json_t *number(Random *r, uint64_t below) {
  return json_integer((json_int_t)random_below(r, below));
}

static json_t *choice(Random *r, const char *a, const char *b) {
  return json_string(random_once_in(r, 2) ? a : b);
}

static void fill_metadata(Random *r, json_t *o) {
  kube_set(o, "metadata.name", json_string("own"));
  perhaps(r, o, "metadata.namespace", json_string("ns"));
  perhaps(r, o, "metadata.finalizers", list(r));
  perhaps(r, o, "metadata.generation", number(r, 9));
  if (random_once_in(r, 2))
    kube_set_label(o, "a.b/c", "d");
  if (random_once_in(r, 2))
    kube_set_annotation(o, "e.f/g", "{\"not\": \"ours\"}");
}

/* What Sandbox and SandboxTemplate share. */
static void fill_blueprint(Random *r, json_t *o) {
  kube_set(o, "spec.podTemplate", random_value(r, 4));
  perhaps(r, o, "spec.volumeClaimTemplates", list(r));
  perhaps(r, o, "spec.service", json_boolean(random_once_in(r, 2)));
}

static void fill_sandbox(Random *r, json_t *o, bool hub) {
  fill_blueprint(r, o);
  perhaps(r, o, "spec.shutdownTime", text(r));
  perhaps(r, o, "spec.shutdownPolicy", choice(r, "Delete", "Retain"));
  if (hub)
    perhaps(r, o, "spec.operatingMode", choice(r, "Running", "Suspended"));
  else
    perhaps(r, o, "spec.replicas", number(r, 2));
  if (random_once_in(r, 3))
    return;
  perhaps(r, o, "status.conditions", list(r));
  perhaps(r, o, "status.selector", text(r));
  perhaps(r, o, "status.podIPs", list(r));
  perhaps(r, o, hub ? "status.nodeName" : "status.replicas", hub ? name(r) : number(r, 2));
}

static void fill_claim(Random *r, json_t *o, bool hub) {
  if (hub) {
    kube_set(o, "spec.warmPoolRef.name", name(r));
    perhaps(r, o, "spec.volumeClaimTemplates", list(r));
  } else {
    kube_set(o, "spec.sandboxTemplateRef.name", name(r));
    perhaps(r, o, "spec.warmpool", name(r));
  }
  perhaps(r, o, "spec.env", list(r));
  perhaps(r, o, "spec.additionalPodMetadata", random_value(r, 2));
  perhaps(r, o, "spec.lifecycle", random_value(r, 2));
  if (random_once_in(r, 3))
    return;
  perhaps(r, o, "status.conditions", list(r));
  perhaps(r, o, "status.sandbox.name", random_once_in(r, 4) ? json_string("") : name(r));
  perhaps(r, o, "status.sandbox.podIPs", list(r));
}

static void fill_template(Random *r, json_t *o, bool hub) {
  static const char *const POLICIES[] = {"Disallowed", "Allowed", "Overrides"};
  fill_blueprint(r, o);
  perhaps(r, o, "spec.networkPolicy", random_value(r, 3));
  perhaps(r, o, "spec.networkPolicyManagement", choice(r, "", "Unmanaged"));
  perhaps(r, o, "spec.envVarsInjectionPolicy", choice(r, "Allowed", "Overrides"));
  if (random_once_in(r, 3))
    return;
  const char *policy = PICK(r, POLICIES);
  if (hub)
    kube_set(o, "spec.volumeClaimTemplatesPolicy", json_string(policy));
  else
    kube_set_annotation(o, ANNOTATION_VCT_POLICY, policy);
}

static void fill_pool(Random *r, json_t *o, bool hub) {
  if (hub)
    perhaps(r, o, "spec.replicas", number(r, 50));
  else
    kube_set(o, "spec.replicas", number(r, 50));
  kube_set(o, "spec.sandboxTemplateRef.name", name(r));
  perhaps(r, o, "spec.updateStrategy", json_object());
  perhaps(r, o, "spec.updateStrategy.type", choice(r, "Recreate", "OnReplenish"));
  if (random_once_in(r, 3))
    return;
  perhaps(r, o, "status.replicas", number(r, 50));
  perhaps(r, o, "status.readyReplicas", number(r, 50));
  perhaps(r, o, "status.selector", text(r));
  if (hub)
    perhaps(r, o, "status.observedGeneration", number(r, 9));
}

json_t *random_object(Random *r, RandomKind kind, bool hub) {
  static const struct {
    const char *kind;
    void (*fill)(Random *r, json_t *o, bool hub);
  } KINDS[] = {
      {KIND_SANDBOX, fill_sandbox}, {KIND_CLAIM, fill_claim}, {KIND_TEMPLATE, fill_template}, {KIND_POOL, fill_pool}};
  json_t *o = json_object();
  kube_set(o, "apiVersion", json_string(random_api_version(kind, hub)));
  kube_set(o, "kind", json_string(KINDS[kind].kind));
  fill_metadata(r, o);
  KINDS[kind].fill(r, o, hub);
  return o;
}
