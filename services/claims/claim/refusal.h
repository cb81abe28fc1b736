/* What a caller is told whom the state gave nothing, in the same words for one sandbox and for several. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_REFUSAL_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_REFUSAL_H_

#include "lib/state/state_claim.h"
#include "services/claims/claim/claim.h"
#include "services/claims/claim/wait.h"
#include "services/claims/claims.h"

/* Nothing ready, for what the message says: RESOURCE_EXHAUSTED, to be tried again in a second. */
void refusal_empty(Error *err, const char *message);
/* Why a wait that is over ended without anything. what: "had nothing ready", after "the pool". may_come_back: its
 * caller can ask again with the same request_id, so that what it may hold stays; then a wait that is in doubt ends as
 * UNAVAILABLE. */
void refusal_ended(const Wait *w, const char *what, bool may_come_back, Error *err);
/* CLAIM_FULL, CLAIM_NO_POOL or CLAIM_REFUSED, whose refusal is counted. */
void refusal_of(const Claims *claims, const ClaimSpec *spec, ClaimOutcome outcome, const QuotaRefusal *refusal,
                Error *err);

#endif
