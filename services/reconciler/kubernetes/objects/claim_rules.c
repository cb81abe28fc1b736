/* See claim_rules.h. */
#include "services/reconciler/kubernetes/objects/claim_rules.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/objects/well_known.h"

bool claim_needs_cold(const json_t *claim) {
  return json_array_size(kube_get(claim, "spec.env")) > 0 ||
         json_array_size(kube_get(claim, "spec.volumeClaimTemplates")) > 0;
}

/* ---- expiry ---- */

/* When the time to live after the end is over; -1: never, or not yet to be known. */
static int64_t ttl_end(const json_t *claim, const json_t *conditions) {
  int64_t ttl = kube_int(claim, "spec.lifecycle.ttlSecondsAfterFinished", -1);
  if (ttl < 0 || !kube_condition_is(conditions, "Finished", "True")) return -1;
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
  if (str_empty(name)) name = kube_label(claim, ANNOTATION_SANDBOX_NAME);
  return str_empty(name) ? NULL : name;
}

bool claim_is_v1alpha1_origin(const json_t *claim, bool pool_exists) {
  if (kube_annotation(claim, ANNOTATION_V1ALPHA1_CLAIM)) return true;
  const char *pool = kube_text(claim, "spec.warmPoolRef.name");
  return !pool_exists && pool && str_starts_with(pool, SHADOW_POOL_PREFIX);
}

char *claim_template_of_origin(const json_t *claim) {
  const char *state = kube_annotation(claim, ANNOTATION_V1ALPHA1_CLAIM);
  KUBE_OWNED json_t *origin = state ? json_loads(state, 0, NULL) : NULL;
  const char *name = kube_text(origin, "spec.sandboxTemplateRef.name");
  if (!str_empty(name)) return str_dup(name);
  const char *pool = kube_text(claim, "spec.warmPoolRef.name");
  if (!pool || !str_starts_with(pool, SHADOW_POOL_PREFIX) || !pool[strlen(SHADOW_POOL_PREFIX)]) return NULL;
  return str_dup(pool + strlen(SHADOW_POOL_PREFIX));
}
