/* Gets one sandbox for one caller: claim, queue, grant, confirm, and a clean end whatever happens between.
 *
 *   - From a pool: one claim script. From a template: the pool of that template with most ready sandboxes
 *     first, a few others if another caller was faster, then the implicit pool, which is made if need be.
 *     With a request_id the choice of pool is pinned in the state, because idempotency is per pool and a
 *     retry must come to the same one.
 *   - A queued claim waits until its grant, its wait is over, or its caller leaves. Grants are hints: after a
 *     reconnect every waiting claim asks again, and one with a request_id asks every second as well,
 *     because its place may belong to a call on another replica.
 *   - A caller who leaves gives up what was claimed for it, unless a request_id lets it come back.
 *   - When the state is lost between claim and answer, nobody knows whether the claim took place. It is repeated once,
 *     with the same uid, which changes nothing if it did. If the state stays away the caller is told UNAVAILABLE; with
 *     a request_id it repeats the call itself, without one orphan_store lets go of whatever was claimed.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_CLAIM_STORE_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_CLAIM_STORE_H_

#include "services/claims/claim/claim.h"
#include "services/claims/claim/wait.h"
#include "services/claims/claims.h"

typedef struct ClaimStore ClaimStore;

enum { CLAIM_STORE_MAX_TRIES = 3 };

/* record: claimed and durable; queued tells whether it came through the queue. Otherwise err, and record is
 * NULL. Valid during the call only. */
typedef void (*ClaimStoreFn)(void *arg, const SandboxRecord *record, bool queued, const Error *err);

/* One claim under way; embedded in the caller's struct, all fields private. */
typedef struct ClaimOp {
  ClaimStore *store;
  const ClaimSpec *spec;
  ClaimStoreFn fn;
  void *arg;
  const TraceSpan *span; /* of the call; NULL: traces are off */
  TraceSpan *phase;      /* of what it does now */
  const char *phase_name;
  char uid[33];
  char pool[STATE_NAME_MAX + 1];
  char tried[CLAIM_STORE_MAX_TRIES][STATE_NAME_MAX + 1];
  size_t n_tried;
  bool implicit;
  int makes;   /* of the implicit pool */
  bool queued; /* at some time */
  Wait wait;
} ClaimOp;

ClaimStore *claim_store_new(Claims *claims);
void claim_store_free(ClaimStore *store);
/* spec, op and span (NULL: traces are off) must live until fn has run, which it does once. call_ms: time left of the
 * call. */
void claim_store_acquire(ClaimStore *store, ClaimOp *op, const ClaimSpec *spec, int64_t call_ms, const TraceSpan *span,
                         ClaimStoreFn fn, void *arg);
/* The caller has gone; fn runs with CANCELLED, now or soon. */
void claim_store_cancel(ClaimOp *op);
size_t claim_store_waiting(const ClaimStore *store);

#endif
