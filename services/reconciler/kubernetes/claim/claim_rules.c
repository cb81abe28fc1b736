/* See claim_rules.h. */
#include "services/reconciler/kubernetes/claim/claim_rules.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* New reference: the claim as its v1alpha1 client wrote it, or NULL. */
static json_t *origin_of(const json_t *claim) {
  const char *state = kube_annotation(claim, ANNOTATION_V1ALPHA1_CLAIM);
  return state ? json_loads(state, 0, NULL) : NULL;
}

static bool names_shadow_pool(const json_t *claim) {
  const char *pool = kube_text(claim, "spec.warmPoolRef.name");
  return pool && str_starts_with(pool, SHADOW_POOL_PREFIX);
}

bool claim_has_env(const json_t *claim) {
  return json_array_size(kube_get(claim, "spec.env")) > 0;
}

bool claim_needs_cold(const json_t *claim) {
  if (json_array_size(kube_get(claim, "spec.volumeClaimTemplates")) > 0)
    return true;
  if (!names_shadow_pool(claim))
    return false;
  KUBE_OWNED json_t *origin = origin_of(claim);
  return str_equal(kube_text(origin, "spec.warmpool"), "none");
}

/* ---- expiry ---- */

/* When the time to live after the end is over; -1: never, or not yet to be known. */
static int64_t ttl_end(const json_t *claim, const json_t *conditions) {
  int64_t ttl = kube_int(claim, "spec.lifecycle.ttlSecondsAfterFinished", -1);
  if (ttl < 0 || !kube_condition_is(conditions, "Finished", "True"))
    return -1;
  int64_t finished = kube_parse_time(kube_text(kube_condition(conditions, "Finished"), "lastTransitionTime"));
  return finished < 0 ? -1 : finished + ttl * 1000;
}

bool claim_expiry(const json_t *claim, const json_t *conditions, int64_t now_ms, int64_t *ret_at_ms) {
  int64_t shutdown = kube_parse_time(kube_text(claim, "spec.lifecycle.shutdownTime"));
  int64_t end = ttl_end(claim, conditions ? conditions : kube_get(claim, "status.conditions"));
  *ret_at_ms = shutdown < 0 || (end >= 0 && end < shutdown) ? end : shutdown;
  return *ret_at_ms >= 0 && *ret_at_ms <= now_ms;
}

const char *claim_shutdown_policy(const json_t *claim) {
  const char *policy = kube_text(claim, "spec.lifecycle.shutdownPolicy");
  return str_empty(policy) ? "Retain" : policy;
}

/* ---- whom it names ---- */

const char *claim_assigned_name(const json_t *claim) {
  const char *name = kube_annotation(claim, ANNOTATION_SANDBOX_NAME);
  if (str_empty(name))
    name = kube_label(claim, ANNOTATION_SANDBOX_NAME);
  return str_empty(name) ? NULL : name;
}

bool claim_is_v1alpha1_origin(const json_t *claim, bool pool_exists) {
  if (kube_annotation(claim, ANNOTATION_V1ALPHA1_CLAIM))
    return true;
  return !pool_exists && names_shadow_pool(claim);
}

bool claim_takes_any_pool(const json_t *claim, bool pool_exists) {
  return names_shadow_pool(claim) && claim_is_v1alpha1_origin(claim, pool_exists);
}

char *claim_template_of_origin(const json_t *claim) {
  KUBE_OWNED json_t *origin = origin_of(claim);
  const char *name = kube_text(origin, "spec.sandboxTemplateRef.name");
  if (!str_empty(name))
    return str_dup(name);
  if (!names_shadow_pool(claim))
    return NULL;
  name = kube_text(claim, "spec.warmPoolRef.name") + strlen(SHADOW_POOL_PREFIX);
  return *name ? str_dup(name) : NULL;
}
