/* Why a claim has no usable sandbox after a pass, in the words of its Ready condition.
 *
 * A pass ends with at most one of these. The number says how to go on (claim_reject_is_final and
 * claim_reject_retry_ms), the Error beside it carries the text. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_REJECT_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_REJECT_H_

#include <stdbool.h>
#include <stdint.h>

typedef enum ClaimReject {
  CLAIM_ACCEPTED = 0,
  CLAIM_TEMPLATE_NOT_FOUND,
  CLAIM_POOL_NOT_FOUND,
  CLAIM_ADOPTION_CONFLICT,
  CLAIM_CREATE_PENDING, /* the cold Sandbox exists, but is not in the cache yet */
  CLAIM_INVALID_METADATA,
  CLAIM_ENV_REJECTED,
  CLAIM_NOT_OWNED, /* expired, but its Sandbox is of another owner and stays */
  CLAIM_VOLUMES_REJECTED,
  CLAIM_INVALID_CONFIGURATION, /* the API server refuses the Sandbox that it asks for */
  CLAIM_QUOTA_EXCEEDED,        /* of STATE_KUBERNETES_TENANT in the namespace */
  CLAIM_FAILED,                /* anything else: ReconcilerError */
} ClaimReject;

/* The reason of the condition ("TemplateNotFound"); NULL for CLAIM_ACCEPTED. */
const char *claim_reject_reason(ClaimReject reject);
/* The user has to change something first: not retried. */
bool claim_reject_is_final(ClaimReject reject);
/* The longest wait for the next pass; 0: nothing to wait for, or exponential back-off when it is not final. */
int64_t claim_reject_retry_ms(ClaimReject reject);

#endif
