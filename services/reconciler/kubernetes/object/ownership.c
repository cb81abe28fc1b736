/* See ownership.h. */
#include "services/reconciler/kubernetes/object/ownership.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

Ownership ownership_of(const json_t *sandbox, const json_t *object) {
  if (kube_controller(object)) {
    return kube_is_controlled_by(object, kube_uid(sandbox)) ? OWNERSHIP_OURS : OWNERSHIP_FOREIGN;
  }
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  bool asks =
      str_equal(kube_label(object, LABEL_ADOPTABLE), "true") || str_equal(kube_label(object, LABEL_NAME_HASH), hash);
  return asks ? OWNERSHIP_ADOPTABLE : OWNERSHIP_UNOWNED;
}

json_t *ownership_references(const json_t *sandbox, const json_t *object) {
  json_t *old = kube_get(object, "metadata.ownerReferences");
  json_t *references = json_array();
  size_t i;
  json_t *ref;
  json_array_foreach(old, i, ref) {
    /* the API refuses two references to one owner: ours becomes the controlling one */
    if (!str_equal(kube_text(ref, "uid"), kube_uid(sandbox)))
      json_array_append_new(references, json_deep_copy(ref));
  }
  json_array_append_new(references,
                        kube_owner_reference(AGENTS_V1BETA1, KIND_SANDBOX, kube_name(sandbox), kube_uid(sandbox)));
  return references;
}

json_t *ownership_patch(const json_t *sandbox, const json_t *object) {
  return json_pack("{s:{s:o}}", "metadata", "ownerReferences", ownership_references(sandbox, object));
}

int ownership_refuse(const json_t *sandbox, const json_t *object, const char *noun, Error *err) {
  const json_t *controller = kube_controller(object);
  if (controller) {
    const char *kind = kube_text(controller, "kind"), *name = kube_text(controller, "name"),
               *uid = kube_text(controller, "uid");
    return error_set(err, ERROR_FAILED_PRECONDITION, "%s \"%s\" is owned by %s/%s (UID: %s), not by sandbox \"%s\"",
                     noun, kube_name(object), kind ? kind : "", name ? name : "", uid ? uid : "", kube_name(sandbox));
  }
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  return error_set(
      err, ERROR_FAILED_PRECONDITION,
      "%s \"%s\" has no controller, and neither label %s: \"true\" nor label %s: \"%s\" lets sandbox \"%s\" adopt it",
      noun, kube_name(object), LABEL_ADOPTABLE, LABEL_NAME_HASH, hash, kube_name(sandbox));
}
