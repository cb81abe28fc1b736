/* Claims of several sandboxes in one step. */
#ifndef SANDPLANE_LIB_STATE_STATE_BATCH_H_
#define SANDPLANE_LIB_STATE_STATE_BATCH_H_

#include "lib/state/state_claim.h"

/* Several at once. All of them, or as many as are ready but not fewer than min_count. */
typedef struct BatchRequest {
  /* uid: the batch's token, 32 digits that end in 0000; its claims count up from there. No priority. */
  ClaimRequest each;
  int count;     /* 1 to STATE_BATCH_MAX */
  int min_count; /* 1 to count */
} BatchRequest;

typedef struct BatchResult {
  ClaimOutcome outcome;
  const SandboxRecord *records;
  size_t n_records;
  const char *token;
  const QuotaRefusal *refusal; /* of CLAIM_REFUSED: min_count would not fit */
} BatchResult;
typedef void (*StateBatchFn)(void *arg, const BatchResult *r, const Error *err);

/* Idempotent by uid and by request_id, as state_claim: what is left of the same sandboxes again (GRANTED), or the same
 * place. QUEUED: waits under token and holds nothing. state_on_grant tells the token when enough is ready; then ask
 * again, and without being told now and then, because nothing is promised: whoever asks first gets it. */
void state_batch(State *s, const BatchRequest *request, StateBatchFn fn, void *arg);
/* The caller has gone: no longer waits; give_back: releases all that was granted, too. */
void state_batch_leave(State *s, const char *ns, const char *pool, const char *token, bool give_back, StateDoneFn fn,
                       void *arg);

#endif
