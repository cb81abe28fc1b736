/* See refusal.h. */
#include "services/claims/claim/refusal.h"

#include "lib/base/str.h"
#include "lib/state/state_claim.h"
#include "services/claims/claims_metrics.h"

enum { RETRY_EMPTY_MS = 1000 };

void refusal_empty(Error *err, const char *message) {
  error_set(err, ERROR_RESOURCE_EXHAUSTED, "%s", message);
  err->retry_after_ms = RETRY_EMPTY_MS;
}

void refusal_ended(const Wait *w, const char *what, bool may_come_back, Error *err) {
  CLEANUP(str_freep) char *message = str_printf("the pool %s within max_wait", what);
  if (w->end == WAIT_CANCELLED) {
    error_set(err, ERROR_CANCELLED, "the caller has gone");
  } else if (w->in_doubt && may_come_back) {
    error_set(err, ERROR_UNAVAILABLE,
              "the state store did not say what became of the claim; the same request_id tells");
    err->retry_after_ms = RETRY_EMPTY_MS;
  } else if (w->call_ends_first) {
    error_set(err, ERROR_DEADLINE_EXCEEDED, "the pool %s before the deadline of the call", what);
  } else {
    refusal_empty(err, message);
  }
}

void refusal_of(const Claims *claims, const ClaimSpec *spec, ClaimOutcome outcome, const QuotaRefusal *refusal,
                Error *err) {
  if (outcome == CLAIM_FULL) {
    refusal_empty(err, "the queue of the pool is full");
  } else if (outcome == CLAIM_NO_POOL) {
    error_set(err, ERROR_NOT_FOUND, "pool %s in namespace %s does not exist", spec->pool, spec->ns);
  } else {
    claim_refusal(spec, refusal, err);
    metrics_add(claims->service->metrics, CLAIMS_METRIC_REFUSED, 1, spec->ns, spec->tenant, refusal->limit);
  }
}
