/* See claim_adoption.h. */
#include "services/reconciler/kubernetes/claim/claim_adoption.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/runtime_env.h"
#include "services/reconciler/kubernetes/object/well_known.h"

static const char *created_by(const json_t *claim) {
  const char *value = kube_label(claim, LABEL_CREATED_BY);
  return str_empty(value) ? NULL : value;
}

/* What the claim itself puts on a podTemplate; ref_hash may be NULL. */
static void set_tracking(json_t *pod, const json_t *claim, const char *ref_hash) {
  kube_set_label(pod, LABEL_CLAIM_UID, kube_uid(claim));
  if (ref_hash)
    kube_set_label(pod, LABEL_TEMPLATE_REF_HASH, ref_hash);
  kube_set_label(pod, LABEL_CREATED_BY, created_by(claim));
}

json_t *claim_pod_metadata(const json_t *claim, const json_t *template) {
  char hash[9];
  kube_name_hash(kube_name(template), hash);
  const json_t *from_template = kube_get(template, "spec.podTemplate.metadata");
  KUBE_OWNED json_t *pod = json_object();
  json_object_set_new(pod, "metadata", from_template ? json_deep_copy(from_template) : json_object());
  set_tracking(pod, claim, hash);
  const char *key;
  json_t *v;
  json_object_foreach(kube_get(claim, "spec.additionalPodMetadata.labels"), key, v) {
    kube_set_label(pod, key, json_string_value(v));
  }
  json_object_foreach(kube_get(claim, "spec.additionalPodMetadata.annotations"), key, v) {
    kube_set_annotation(pod, key, json_string_value(v));
  }
  return json_incref(json_object_get(pod, "metadata"));
}

/* Brings podTemplate.metadata and the labels that go with it in line with claim and template. */
static void apply_metadata(json_t *sandbox, const json_t *claim, const json_t *template) {
  kube_set_label(sandbox, LABEL_CREATED_BY, created_by(claim));
  if (template) {
    char hash[9];
    kube_name_hash(kube_name(template), hash);
    kube_set_label(sandbox, LABEL_TEMPLATE_REF_HASH, hash);
    kube_set(sandbox, "spec.podTemplate.metadata", claim_pod_metadata(claim, template));
    return;
  }
  json_t *pod = kube_get(sandbox, "spec.podTemplate");
  if (str_equal(kube_annotation(pod, ANNOTATION_SAFE_TO_EVICT), "true"))
    kube_set_annotation(pod, ANNOTATION_SAFE_TO_EVICT, NULL);
  if (pod)
    set_tracking(pod, claim, kube_label(sandbox, LABEL_TEMPLATE_REF_HASH));
}

json_t *claim_adoption_patch(const json_t *claim, const json_t *sandbox, const json_t *template) {
  KUBE_OWNED json_t *next = json_deep_copy(sandbox);
  json_t *owner = kube_owner_reference(EXTENSIONS_V1BETA1, KIND_CLAIM, kube_name(claim), kube_uid(claim));
  kube_set(next, "metadata.ownerReferences", json_pack("[o]", owner));
  kube_set_label(next, LABEL_POOL, NULL);
  kube_set_label(next, LABEL_POD_TEMPLATE_HASH, NULL);
  kube_set_label(next, LABEL_TEMPLATE_HASH, NULL);
  kube_set_label(next, LABEL_LAUNCH_TYPE, "warm");
  kube_set_label(next, LABEL_CLAIM_UID, kube_uid(claim));
  kube_set_annotation(next, ANNOTATION_POD_NAME, kube_name(sandbox));
  const char *trace = kube_annotation(claim, ANNOTATION_TRACE_CONTEXT);
  if (trace)
    kube_set_annotation(next, ANNOTATION_TRACE_CONTEXT, trace);
  apply_metadata(next, claim, template);
  runtime_env_keep(next, claim, template);
  json_t *patch = kube_merge_patch(sandbox, next);
  if (!patch)
    patch = json_object();
  kube_set(patch, "metadata.resourceVersion", json_string(kube_text(sandbox, "metadata.resourceVersion")));
  return patch;
}

json_t *claim_detach_patch(const json_t *sandbox, json_t *anchor) {
  KUBE_OWNED json_t *next = json_deep_copy(sandbox);
  kube_set(next, "metadata.ownerReferences", anchor ? json_pack("[o]", anchor) : json_array());
  kube_set_label(next, LABEL_POOL, NULL);
  kube_set_label(next, LABEL_POD_TEMPLATE_HASH, NULL);
  kube_set_label(next, LABEL_TEMPLATE_HASH, NULL);
  json_t *pod = kube_get(next, "spec.podTemplate");
  if (str_equal(kube_annotation(pod, ANNOTATION_SAFE_TO_EVICT), "true"))
    kube_set_annotation(pod, ANNOTATION_SAFE_TO_EVICT, NULL);
  json_t *patch = kube_merge_patch(sandbox, next);
  if (patch)
    kube_set(patch, "metadata.resourceVersion", json_string(kube_text(sandbox, "metadata.resourceVersion")));
  return patch;
}

json_t *claim_sync_patch(const json_t *claim, const json_t *sandbox, const json_t *template) {
  KUBE_OWNED json_t *next = json_deep_copy(sandbox);
  /* A Sandbox with the claim's own name was made for it. */
  const char *launch = str_equal(kube_name(sandbox), kube_name(claim)) ? "cold" : "warm";
  if (!kube_label(sandbox, LABEL_LAUNCH_TYPE))
    kube_set_label(next, LABEL_LAUNCH_TYPE, launch);
  if (template)
    apply_metadata(next, claim, template);
  return kube_merge_patch(sandbox, next);
}
