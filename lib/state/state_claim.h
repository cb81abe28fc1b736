/* Claims: asking, waiting, confirming, leaving. */
#ifndef SANDPLANE_LIB_STATE_STATE_CLAIM_H_
#define SANDPLANE_LIB_STATE_STATE_CLAIM_H_

#include "lib/state/state.h"

typedef enum ClaimOutcome {
  CLAIM_GRANTED, /* record is the claimed sandbox */
  CLAIM_QUEUED,  /* token: a grant follows on the grant channel, then state_confirm */
  CLAIM_EMPTY,   /* nothing ready, max_wait_ms 0 */
  CLAIM_FULL,    /* the tenant has as many waiters as there are places left: 10,000 of its own when it is alone */
  CLAIM_NO_POOL,
  CLAIM_ENDED,   /* request_id belongs to a claim whose sandbox is gone */
  CLAIM_SPENT,   /* the uid had a sandbox, which is gone, or was given up: ask under another one */
  CLAIM_REFUSED, /* the tenant's quota has no room: refusal */
} ClaimOutcome;

typedef struct ClaimResult {
  ClaimOutcome outcome;
  const SandboxRecord *record;
  const char *token;
  const QuotaRefusal *refusal;
} ClaimResult;
typedef void (*StateClaimFn)(void *arg, const ClaimResult *r, const Error *err);

/* Idempotent by uid and by request_id: the same sandbox again (GRANTED, in whatever state it is by now; when
 * record->pending, state_confirm is still owed) or the same place in the queue (QUEUED). INVALID_ARGUMENT:
 * labels or env are not UTF-8. */
void state_claim(State *s, const ClaimRequest *request, StateClaimFn fn, void *arg);
typedef void (*StatePinFn)(void *arg, const char *pool, const Error *err);
/* Remembers for an hour which pool a claim from a template with this request_id went to, so that a repeated
 * one goes there as well. fn gets the remembered one: `pool`, unless another came first. */
void state_pin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
               const char *pool, StatePinFn fn, void *arg);
/* Forgets it: the claim was tried at once and came to nothing. */
void state_unpin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
                 StateDoneFn fn, void *arg);
/* A granted waiter takes its sandbox for good; without it the sandbox is destroyed 10 s after the grant.
 * record NULL and NOT_FOUND: too late. */
void state_confirm(State *s, const char *ns, const char *pool, const char *token, StateRecordFn fn, void *arg);
/* The caller has gone: leaves the queue, or lets go of what was granted meanwhile. */
void state_cancel_wait(State *s, const char *ns, const char *pool, const char *token, StateDoneFn fn, void *arg);
typedef void (*StateGrantFn)(void *arg, const char *token, const char *id);
/* Grants to waiters of all replicas: only tokens of one's own are of interest. id empty: the pool was deleted
 * and the waiter sent away; "batch": see state_batch. token NULL after a (re)connect: confirm or claim again what
 * waits. */
void state_on_grant(State *s, StateGrantFn fn, void *arg);

#endif
