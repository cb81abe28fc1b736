/* The claims of this replica that a grant may name, by token. Several may have one token: calls with the same
 * request_id share a place in the state's queue. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_QUEUE_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_QUEUE_H_

#include <stdbool.h>
#include <stddef.h>

typedef struct ClaimQueue ClaimQueue;
struct ClaimOp;

ClaimQueue *claim_queue_new(void);
void claim_queue_free(ClaimQueue *queue);
/* Under this token and no other. */
void claim_queue_put(ClaimQueue *queue, struct ClaimOp *op, const char *token);
/* No-op for one that is not in it. */
void claim_queue_remove(ClaimQueue *queue, struct ClaimOp *op);
/* Another one has the token of op. */
bool claim_queue_shares(const ClaimQueue *queue, const struct ClaimOp *op);
/* Calls fn for each with the token (NULL: for all); fn may remove that one. */
void claim_queue_each(ClaimQueue *queue, const char *token, void (*fn)(struct ClaimOp *op));

#endif
