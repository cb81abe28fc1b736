/* See pod.h. */
#include "services/reconciler/kubernetes/pod/pod.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod_metadata.h"
#include "services/reconciler/kubernetes/pod/volume_claim.h"

/* ---- a new Pod ---- */

static bool is_template_volume(const json_t *sandbox, const char *name) {
  size_t i;
  json_t *template;
  json_array_foreach(kube_get(sandbox, "spec.volumeClaimTemplates"), i, template) {
    if (name && str_equal(kube_name(template), name))
      return true;
  }
  return false;
}

/* The templates' volumes stand last and win over volumes of the same name: a sandbox's data is on its claim. */
static void set_volumes(const json_t *sandbox, json_t *spec) {
  size_t n = volume_claim_count(sandbox);
  if (n == 0)
    return;
  json_t *volumes = json_array();
  size_t i;
  json_t *volume;
  json_array_foreach(json_object_get(spec, "volumes"), i, volume) {
    if (!is_template_volume(sandbox, kube_text(volume, "name")))
      json_array_append(volumes, volume);
  }
  const json_t *templates = kube_get(sandbox, "spec.volumeClaimTemplates");
  for (i = 0; i < n; i++) {
    const char *name = kube_name(json_array_get(templates, i));
    CLEANUP(str_freep) char *claim = volume_claim_name(sandbox, i);
    json_array_append_new(
        volumes, json_pack("{s:s,s:{s:s}}", "name", name ? name : "", "persistentVolumeClaim", "claimName", claim));
  }
  kube_set(spec, "volumes", volumes);
}

json_t *pod_build(const json_t *sandbox) {
  json_t *spec = json_deep_copy(kube_get(sandbox, "spec.podTemplate.spec"));
  if (!spec)
    spec = json_object();
  set_volumes(sandbox, spec);
  json_t *pod = json_pack("{s:s,s:s,s:{s:s,s:s*,s:o},s:o}", "apiVersion", "v1", "kind", "Pod", "metadata", "name",
                          kube_name(sandbox), "namespace", kube_namespace(sandbox), "ownerReferences",
                          ownership_references(sandbox, NULL), "spec", spec);
  pod_metadata_sync(sandbox, pod);
  return pod;
}

json_t *pod_sync_patch(const json_t *sandbox, const json_t *pod, bool adopt) {
  /* Only what may differ is copied; a Pod is large. */
  KUBE_OWNED json_t *old =
      json_pack("{s:{s:O*,s:O*,s:O*}}", "metadata", "labels", kube_get(pod, "metadata.labels"), "annotations",
                kube_get(pod, "metadata.annotations"), "ownerReferences", kube_get(pod, "metadata.ownerReferences"));
  KUBE_OWNED json_t *next = json_deep_copy(old);
  pod_metadata_sync(sandbox, next);
  if (adopt)
    kube_set(next, "metadata.ownerReferences", ownership_references(sandbox, pod));
  return kube_merge_patch(old, next);
}

/* ---- which Pod ---- */

static const char *recorded_name(const json_t *sandbox) {
  const char *name = kube_annotation(sandbox, ANNOTATION_POD_NAME);
  return str_empty(name) ? NULL : name;
}

const char *pod_tracked_name(const json_t *sandbox) {
  const char *name = recorded_name(sandbox);
  return name ? name : kube_name(sandbox);
}

json_t *pod_name_patch(const json_t *sandbox, const char *name) {
  if (name ? recorded_name(sandbox) != NULL : kube_annotation(sandbox, ANNOTATION_POD_NAME) == NULL)
    return NULL;
  return json_pack("{s:{s:{s:o}}}", "metadata", "annotations", ANNOTATION_POD_NAME,
                   name ? json_string(name) : json_null());
}

static bool is_candidate(const json_t *sandbox, const json_t *pod) {
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  return str_equal(kube_label(pod, LABEL_NAME_HASH), hash) && ownership_of(sandbox, pod) == OWNERSHIP_OURS;
}

int pod_choose(const json_t *sandbox, json_t *const *owned, size_t n_owned, const json_t *tracked,
               PodChoice *ret_choice) {
  PodChoice c = {0};
  const json_t *only = NULL;
  for (size_t i = 0; i < n_owned; i++) {
    if (!is_candidate(sandbox, owned[i]) || (tracked && str_equal(kube_name(owned[i]), kube_name(tracked))))
      continue;
    c.n_owned++;
    only = owned[i];
  }
  /* Counted by its owner alone: someone may have taken its label off. */
  if (tracked && ownership_of(sandbox, tracked) == OWNERSHIP_OURS) {
    c.n_owned++;
    only = tracked;
  }
  if (c.n_owned > 1) {
    *ret_choice = c;
    return POD_MULTIPLE;
  }
  const char *recorded = recorded_name(sandbox);
  c.pod = only ? only : tracked;
  /* under its own name it will be made at once, and recorded again: two writes for nothing */
  c.drop_name = recorded && !str_equal(c.pod ? kube_name(c.pod) : kube_name(sandbox), recorded);
  if (c.pod)
    c.ownership = ownership_of(sandbox, c.pod);
  *ret_choice = c;
  return 0;
}

/* ---- what to do with it ---- */

bool pod_is_suspended(const json_t *sandbox) {
  return str_equal(kube_text(sandbox, "spec.operatingMode"), "Suspended");
}

PodAction pod_decide(const json_t *sandbox, PodChoice *choice, json_t **ret_patch, Error *err) {
  const json_t *pod = choice->pod;
  *ret_patch = NULL;
  if (pod_is_suspended(sandbox)) {
    bool ours = pod && choice->ownership == OWNERSHIP_OURS;
    if (ours)
      return kube_is_deleting(pod) ? POD_NOTHING : POD_DELETE;
    choice->drop_name = recorded_name(sandbox) != NULL;
    return POD_NOTHING;
  }
  if (!pod)
    return POD_CREATE;
  switch (choice->ownership) {
  case OWNERSHIP_OURS:
    *ret_patch = pod_sync_patch(sandbox, pod, false);
    return *ret_patch ? POD_PATCH : POD_NOTHING;
  case OWNERSHIP_ADOPTABLE:
    *ret_patch = pod_sync_patch(sandbox, pod, true);
    return POD_ADOPT;
  case OWNERSHIP_FOREIGN:
    choice->drop_name = recorded_name(sandbox) != NULL;
    break;
  case OWNERSHIP_UNOWNED:
    break;
  }
  ownership_refuse(sandbox, pod, "pod", err);
  return POD_ERROR;
}
