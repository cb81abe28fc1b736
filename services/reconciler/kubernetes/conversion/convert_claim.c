/* SandboxClaim: v1alpha1 names a template and perhaps a pool of it, v1beta1 a pool only.
 *
 * A claim that names no pool gets one whose name is made of its template's (the shadow pool). Whether a pool name
 * that comes back is one we made or one that somebody has set since is told by comparing it with all that we could
 * have made of the saved state.
 */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define ANY_POOL "default"
#define NO_POOL "none"

static bool is_specific(const char *pool) {
  return !str_empty(pool) && !str_equal(pool, ANY_POOL) && !str_equal(pool, NO_POOL);
}

/* The name that a sandbox's generated name was made from: without its last hyphen and what follows. */
static char *pool_of_sandbox(const char *sandbox) {
  const char *hyphen = strrchr(sandbox, '-');
  return hyphen ? str_ndup(sandbox, (size_t)(hyphen - sandbox)) : str_dup(sandbox);
}

int convert_claim_to_v1beta1(json_t *object, Error *err) {
  const char *pool, *template, *sandbox, *own;
  if (convert_text(object, "spec.warmpool", &pool, err) ||
      convert_text(object, "spec.sandboxTemplateRef.name", &template, err) ||
      convert_text(object, "status.sandbox.name", &sandbox, err) || convert_text(object, "metadata.name", &own, err))
    return -1;
  CLEANUP(str_freep) char *name = NULL;
  if (is_specific(pool))
    name = str_dup(pool);
  else if (!str_empty(sandbox) && !str_equal(sandbox, own))
    name = pool_of_sandbox(sandbox);
  else
    name = str_printf(SHADOW_POOL_PREFIX "%s", template ? template : "");
  convert_remove(object, "spec", "warmpool");
  convert_remove(object, "spec", "sandboxTemplateRef");
  convert_remove(object, "spec", "volumeClaimTemplates");
  kube_set(object, "spec.warmPoolRef", json_pack("{s:s}", "name", name));
  return 0;
}

/* Whether the pool's name says no more than the saved claim and its sandbox do. */
static bool is_unchanged(const char *pool, const char *was, const char *sandbox) {
  size_t prefix = strlen(SHADOW_POOL_PREFIX);
  if (str_equal(pool, was) || (str_starts_with(pool, SHADOW_POOL_PREFIX) && str_equal(pool + prefix, was)))
    return true;
  if (str_empty(sandbox))
    return false;
  CLEANUP(str_freep) char *of_sandbox = pool_of_sandbox(sandbox);
  return str_equal(pool, sandbox) || str_equal(pool, of_sandbox);
}

/* spec[key] as it was in the saved state. */
static void restore(json_t *object, const json_t *state, const char *key) {
  json_t *was = json_object_get(json_object_get(state, "spec"), key);
  if (was)
    json_object_set_new(json_object_get(object, "spec"), key, json_deep_copy(was));
  else
    convert_remove(object, "spec", key);
}

int convert_claim_to_v1alpha1(json_t *object, const json_t *state, Error *err) {
  const char *pool, *sandbox, *was_pool, *was_template;
  if (convert_text(object, "spec.warmPoolRef.name", &pool, err) ||
      convert_text(object, "status.sandbox.name", &sandbox, err) ||
      convert_text(state, "spec.warmpool", &was_pool, err) ||
      convert_text(state, "spec.sandboxTemplateRef.name", &was_template, err))
    return -1;
  /* spec.warmPoolRef, whose text this is, goes below */
  CLEANUP(str_freep) char *name = str_dup(pool ? pool : "");
  bool shadow = str_starts_with(name, SHADOW_POOL_PREFIX);
  const char *template = shadow ? name + strlen(SHADOW_POOL_PREFIX) : name;
  convert_remove(object, "spec", "warmPoolRef");
  convert_remove(object, "spec", "volumeClaimTemplates");
  kube_set(object, "spec.sandboxTemplateRef", json_pack("{s:s}", "name", template));
  kube_set(object, "spec.warmpool", json_string(shadow ? ANY_POOL : name));
  if (!state)
    return 0;
  const char *was = is_specific(was_pool) ? was_pool : was_template ? was_template : "";
  restore(object, state, "sandboxTemplateRef");
  if (is_unchanged(name, was, sandbox))
    restore(object, state, "warmpool");
  else
    kube_set(object, "spec.warmpool", json_string(name));
  return 0;
}
