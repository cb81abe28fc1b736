/* See member.h. */
#include "services/reconciler/kubernetes/pool/member.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/template/blueprint.h"

typedef struct Hashes {
  char pool[9], template_ref[9], template[9], pod_template[9];
} Hashes;

/* The labels that a member and its podTemplate have in common. */
static void set_hashes(json_t *object, const Hashes *h) {
  kube_set_label(object, LABEL_POOL, h->pool);
  kube_set_label(object, LABEL_TEMPLATE_REF_HASH, h->template_ref);
  kube_set_label(object, LABEL_POD_TEMPLATE_HASH, h->pod_template);
  kube_set_label(object, LABEL_TEMPLATE_HASH, h->template);
}

static json_t *member_metadata(const json_t *pool, const char *name) {
  json_t *owner = kube_owner_reference(EXTENSIONS_V1BETA1, KIND_POOL, kube_name(pool), kube_uid(pool));
  json_t *metadata = json_pack("{s:s*,s:[o]}", "namespace", kube_namespace(pool), "ownerReferences", owner);
  CLEANUP(str_freep) char *prefix = str_printf("%s-", kube_name(pool));
  json_object_set_new(metadata, name ? "name" : "generateName", json_string(name ? name : prefix));
  return metadata;
}

static json_t *member_spec(const json_t *template, const Hashes *hashes, bool eviction) {
  json_t *spec = blueprint_of(template), *pod = json_object_get(spec, "podTemplate");
  set_hashes(pod, hashes);
  if (eviction && !kube_annotation(pod, ANNOTATION_SAFE_TO_EVICT))
    kube_set_annotation(pod, ANNOTATION_SAFE_TO_EVICT, "true");
  if (!json_is_object(kube_get(pod, "spec")))
    kube_set(pod, "spec", json_object());
  blueprint_apply_secure_defaults(kube_get(pod, "spec"), template);
  return spec;
}

json_t *member_build(const json_t *pool, const json_t *template, const char *name, bool eviction) {
  Hashes hashes;
  kube_name_hash(kube_name(pool), hashes.pool);
  kube_name_hash(kube_name(template), hashes.template_ref);
  blueprint_hash(template, hashes.template);
  blueprint_pod_hash(template, hashes.pod_template);
  json_t *member = json_pack("{s:s,s:s,s:o,s:o}", "apiVersion", AGENTS_V1BETA1, "kind", KIND_SANDBOX, "metadata",
                             member_metadata(pool, name), "spec", member_spec(template, &hashes, eviction));
  set_hashes(member, &hashes);
  kube_set_label(member, LABEL_LAUNCH_TYPE, "warm");
  kube_set_label(member, LABEL_CREATED_BY, "controller");
  kube_set_annotation(member, ANNOTATION_TEMPLATE_REF, kube_name(template));
  return member;
}

bool member_is_adoptable(const json_t *sandbox) {
  return sandbox && !kube_is_deleting(sandbox) && kube_label(sandbox, LABEL_POOL) &&
         kube_label(sandbox, LABEL_TEMPLATE_REF_HASH) && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL);
}

bool member_is_ready(const json_t *sandbox) {
  return kube_condition_is(kube_get(sandbox, "status.conditions"), "Ready", "True");
}

json_t *member_mend_patch(const json_t *sandbox, const json_t *pool) {
  json_t *patch = json_object();
  if (!kube_controller(sandbox)) {
    json_t *owners = kube_get(sandbox, "metadata.ownerReferences");
    owners = owners ? json_deep_copy(owners) : json_array();
    json_array_append_new(owners, kube_owner_reference(EXTENSIONS_V1BETA1, KIND_POOL, kube_name(pool), kube_uid(pool)));
    kube_set(patch, "metadata.ownerReferences", owners);
  }
  if (!kube_label(sandbox, LABEL_LAUNCH_TYPE))
    kube_set_label(patch, LABEL_LAUNCH_TYPE, "warm");
  if (json_object_size(patch) > 0)
    return patch;
  json_decref(patch);
  return NULL;
}

int64_t member_grace_ms(const json_t *pool, int64_t usual_ms) {
  int64_t own_s = kube_int(pool, "spec.readinessGracePeriodSeconds", 0);
  return own_s > 0 ? own_s * 1000 : usual_ms;
}

/* As Go prints a time.Duration: "5m0s". */
static char *duration_text(int64_t ms) {
  int64_t hours = ms / 3600000, minutes = ms / 60000 % 60;
  CLEANUP(str_freep) char *seconds = str_printf("%g", (double)(ms % 60000) / 1000);
  if (hours > 0)
    return str_printf("%lldh%lldm%ss", (long long)hours, (long long)minutes, seconds);
  if (minutes > 0)
    return str_printf("%lldm%ss", (long long)minutes, seconds);
  return str_printf("%ss", seconds);
}

char *member_held_note(int n_held, int n_active, int64_t grace_ms) {
  CLEANUP(str_freep) char *grace = duration_text(grace_ms);
  return str_printf(
      "%d/%d sandboxes are unschedulable past the %s readiness grace period; they are kept until there is room", n_held,
      n_active, grace);
}

json_t *member_pool_status(const json_t *pool, int n_active, int n_ready) {
  char hash[9];
  kube_name_hash(kube_name(pool), hash);
  CLEANUP(str_freep) char *selector = str_printf("%s=%s", LABEL_POOL, hash);
  return json_pack("{s:i,s:i,s:s,s:I}", "replicas", n_active, "readyReplicas", n_ready, "selector", selector,
                   "observedGeneration", (json_int_t)kube_int(pool, "metadata.generation", 0));
}

json_t *member_pool_status_patch(const json_t *pool, const json_t *status) {
  KUBE_OWNED json_t *empty = json_object();
  const json_t *old = kube_get(pool, "status");
  json_t *patch = kube_merge_patch(old ? old : empty, status);
  return patch ? json_pack("{s:o}", "status", patch) : NULL;
}
