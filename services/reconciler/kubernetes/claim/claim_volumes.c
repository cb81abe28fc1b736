/* See claim_volumes.h. */
#include "services/reconciler/kubernetes/claim/claim_volumes.h"

#include "lib/base/str.h"

/* The index of the template with this name before `end`, or -1. */
static int find(const json_t *list, const char *name, size_t end) {
  for (size_t i = 0; i < end; i++) {
    if (str_equal(kube_name(json_array_get(list, i)), name))
      return (int)i;
  }
  return -1;
}

static int check_names(const json_t *list, Error *err) {
  for (size_t i = 0; i < json_array_size(list); i++) {
    const char *name = kube_name(json_array_get(list, i));
    if (str_empty(name))
      return error_set(err, ERROR_INVALID_ARGUMENT, "invalid volume claim templates: name at index %zu is empty", i);
    if (find(list, name, i) >= 0)
      return error_set(err, ERROR_INVALID_ARGUMENT, "invalid volume claim templates: duplicate name \"%s\"", name);
  }
  return 0;
}

/* Puts the claim's list over the template's. */
static int merge(json_t *merged, const json_t *ours, bool may_override, Error *err) {
  size_t n_theirs = json_array_size(merged);
  for (size_t i = 0; i < json_array_size(ours); i++) {
    json_t *volume = json_array_get(ours, i);
    int at = find(merged, kube_name(volume), n_theirs);
    if (at >= 0 && !may_override)
      return error_set(err, ERROR_PERMISSION_DENIED,
                       "overriding volume claim templates is forbidden by the template: "
                       "cannot override template volume \"%s\"",
                       kube_name(volume));
    json_t *copy = json_deep_copy(volume);
    if (at >= 0)
      json_array_set_new(merged, (size_t)at, copy);
    else
      json_array_append_new(merged, copy);
  }
  return 0;
}

int claim_volumes_apply(json_t *spec, const json_t *claim, const json_t *template, ClaimReject *ret_reject,
                        Error *err) {
  const json_t *ours = kube_get(claim, "spec.volumeClaimTemplates");
  const json_t *theirs = kube_get(template, "spec.volumeClaimTemplates");
  const char *policy = kube_text(template, "spec.volumeClaimTemplatesPolicy");
  bool may_override = str_equal(policy, "Overrides");
  *ret_reject = CLAIM_VOLUMES_REJECTED;
  if (check_names(theirs, err) != 0 || check_names(ours, err) != 0)
    return -1;
  if (json_array_size(ours) > 0) {
    if (!may_override && !str_equal(policy, "Allowed"))
      return error_set(err, ERROR_PERMISSION_DENIED, "volume claim templates are disallowed by the template");
    KUBE_OWNED json_t *merged = json_is_array(theirs) ? json_deep_copy(theirs) : json_array();
    if (merge(merged, ours, may_override, err) != 0)
      return -1;
    json_object_set(spec, "volumeClaimTemplates", merged);
  }
  *ret_reject = CLAIM_ACCEPTED;
  return 0;
}
