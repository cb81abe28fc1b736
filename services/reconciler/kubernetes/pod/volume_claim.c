/* See volume_claim.h. */
#include "services/reconciler/kubernetes/pod/volume_claim.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/ownership.h"
#include "services/reconciler/kubernetes/object/well_known.h"

static const json_t *template_at(const json_t *sandbox, size_t i) {
  return json_array_get(kube_get(sandbox, "spec.volumeClaimTemplates"), i);
}

size_t volume_claim_count(const json_t *sandbox) {
  return json_array_size(kube_get(sandbox, "spec.volumeClaimTemplates"));
}

char *volume_claim_name(const json_t *sandbox, size_t template_index) {
  const char *name = kube_name(template_at(sandbox, template_index)),
             *of = kube_annotation(sandbox, ANNOTATION_VOLUMES_OF);
  return str_printf("%s-%s", name ? name : "", str_empty(of) ? kube_name(sandbox) : of);
}

json_t *volume_claim_build(const json_t *sandbox, size_t template_index) {
  const json_t *template = template_at(sandbox, template_index);
  CLEANUP(str_freep) char *name = volume_claim_name(sandbox, template_index);
  json_t *spec = json_deep_copy(kube_get(template, "spec"));
  json_t *claim = json_pack(
      "{s:s,s:s,s:{s:s,s:s*,s:o,s:o*,s:o*},s:o}", "apiVersion", "v1", "kind", "PersistentVolumeClaim", "metadata",
      "name", name, "namespace", kube_namespace(sandbox), "ownerReferences", ownership_references(sandbox, NULL),
      "labels", json_deep_copy(kube_get(template, "metadata.labels")), "annotations",
      json_deep_copy(kube_get(template, "metadata.annotations")), "spec", spec ? spec : json_object());
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  kube_set_label(claim, LABEL_NAME_HASH, hash);
  return claim;
}

json_t *volume_claim_move_patch(const json_t *sandbox, const char *from, const json_t *claim) {
  const json_t *owner = kube_controller(claim);
  if (!kube_controller_is(claim, AGENTS_GROUP, KIND_SANDBOX) || !str_equal(kube_text(owner, "name"), from))
    return NULL;
  KUBE_OWNED json_t *rest = json_pack("{s:{s:[]}}", "metadata", "ownerReferences");
  size_t i;
  json_t *ref;
  json_array_foreach(kube_get(claim, "metadata.ownerReferences"), i, ref) {
    if (ref != owner)
      json_array_append(kube_get(rest, "metadata.ownerReferences"), ref);
  }
  json_t *patch = ownership_patch(sandbox, rest);
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  kube_set_label(patch, LABEL_NAME_HASH, hash);
  kube_set(patch, "metadata.uid", json_string(kube_uid(claim)));
  return patch;
}

VolumeClaimAction volume_claim_decide(const json_t *sandbox, const json_t *existing, json_t **ret_patch, Error *err) {
  *ret_patch = NULL;
  if (!existing)
    return VOLUME_CLAIM_CREATE;
  switch (ownership_of(sandbox, existing)) {
  case OWNERSHIP_OURS:
    return VOLUME_CLAIM_NOTHING;
  case OWNERSHIP_ADOPTABLE:
    *ret_patch = ownership_patch(sandbox, existing);
    return VOLUME_CLAIM_ADOPT;
  case OWNERSHIP_UNOWNED:
  case OWNERSHIP_FOREIGN:
    break;
  }
  ownership_refuse(sandbox, existing, "PVC", err);
  return VOLUME_CLAIM_ERROR;
}
