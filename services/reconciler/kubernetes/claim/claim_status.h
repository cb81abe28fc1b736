/* The status of a claim, as a function of what a pass saw. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_STATUS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_STATUS_H_

#include <stdbool.h>
#include <stdint.h>

#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

typedef struct ClaimView {
  const json_t *claim;
  /* Bound to the claim and there; NULL: none. */
  const json_t *sandbox;
  /* What went wrong (CLAIM_ACCEPTED: nothing), and the text of the error, where the reason needs one. */
  ClaimReject reject;
  const char *message;
  /* For CLAIM_TEMPLATE_NOT_FOUND and CLAIM_POOL_NOT_FOUND. */
  const char *template_name, *pool_name;
  bool expired;
  int64_t now_ms;
} ClaimView;

/* New reference: the whole status. */
json_t *claim_status_build(const ClaimView *view);
/* New reference: merge patch for /status with the claim's resourceVersion, or NULL when nothing changed. */
json_t *claim_status_patch(const json_t *claim, const json_t *status);

#endif
