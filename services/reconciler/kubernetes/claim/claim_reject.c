/* See claim_reject.h. */
#include "services/reconciler/kubernetes/claim/claim_reject.h"

#include <stddef.h>

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
