/* See claim_rules.h. */
#include "services/reconciler/kubernetes/claim/claim_rules.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

static const struct {
  const char *reason;
  bool is_final;
  int64_t retry_ms;
} REJECTS[] = {
    [CLAIM_ACCEPTED] = {NULL, true, 0},
    /* Their events wake the claim; the minute is for one that was missed. */
    [CLAIM_TEMPLATE_NOT_FOUND] = {"TemplateNotFound", false, 60000},
    [CLAIM_POOL_NOT_FOUND] = {"WarmPoolNotFound", false, 60000},
    [CLAIM_ADOPTION_CONFLICT] = {"AdoptionConflict", false, 0},
    [CLAIM_CREATE_PENDING] = {"SandboxCreatePending", false, 200},
    [CLAIM_INVALID_METADATA] = {"InvalidMetadata", true, 0},
    [CLAIM_ENV_REJECTED] = {"EnvVarsInjectionRejected", true, 0},
    [CLAIM_NOT_OWNED] = {"ClaimExpired", true, 0},
    [CLAIM_VOLUMES_REJECTED] = {"VolumeClaimTemplatesError", true, 0},
    /* until claim, template or a policy of the cluster changes; of the last one nothing tells */
    [CLAIM_INVALID_CONFIGURATION] = {"InvalidConfiguration", false, 300000},
    /* nothing tells when there is room again */
    [CLAIM_QUOTA_EXCEEDED] = {"QuotaExceeded", false, 2000},
    [CLAIM_FAILED] = {"ReconcilerError", false, 0},
};

const char *claim_reject_reason(ClaimReject reject) {
  return REJECTS[reject].reason;
}
bool claim_reject_is_final(ClaimReject reject) {
  return REJECTS[reject].is_final;
}
int64_t claim_reject_retry_ms(ClaimReject reject) {
  return REJECTS[reject].retry_ms;
}

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

bool claim_is_shown(const json_t *claim) {
  const char *uid = kube_annotation(claim, ANNOTATION_MIRRORED_UID);
  /* not a copy of such an object under another name, which would end the claim when it is deleted; nor a SandboxClaim's
   * uid */
  const char *sandbox = claim_assigned_name(claim);
  return !str_empty(uid) && !strchr(uid, '-') && (!sandbox || str_equal(sandbox, kube_name(claim)));
}

const char *claim_state_uid(const json_t *claim) {
  return claim_is_shown(claim) ? kube_annotation(claim, ANNOTATION_MIRRORED_UID) : kube_uid(claim);
}
