/* Gets several sandboxes of a pool for one caller, or none of them.
 *
 *   - One script claims all or nothing. A batch that finds too few waits in the state without holding any: it is
 *     told when there are enough, asks again then and every second, and is not promised anything. Two batches
 *     that compete for a pool which has room for one can so never each hold what the other one lacks.
 *   - A caller who leaves gives back all by one script, unless a request_id lets it come back.
 *   - When the state is lost between the script and its answer it is asked once more, with the same token, which
 *     changes nothing if it took place; after that orphan_store gives back what there is.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_STORE_H_
#define SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_STORE_H_

#include "lib/state/state_batch.h"
#include "services/claims/batch/batch.h"
#include "services/claims/claim/wait.h"
#include "services/claims/claims.h"

typedef struct BatchStore BatchStore;

/* result: claimed and durable. Otherwise err, and result is NULL. Valid during the call only. */
typedef void (*BatchStoreFn)(void *arg, const BatchResult *result, bool queued, const Error *err);

/* One batch under way; embedded in the caller's struct, all fields private. */
typedef struct BatchOp {
  BatchStore *store;
  const BatchSpec *spec;
  BatchStoreFn fn;
  void *arg;
  char token[33];
  Wait wait;
} BatchOp;

BatchStore *batch_store_new(Claims *claims);
void batch_store_free(BatchStore *store);
/* spec and op must live until fn has run, which it does once. call_ms: time left of the call. */
void batch_store_acquire(BatchStore *store, BatchOp *op, const BatchSpec *spec, int64_t call_ms, BatchStoreFn fn,
                         void *arg);
/* The caller has gone; fn runs with CANCELLED, now or soon. */
void batch_store_cancel(BatchOp *op);
/* Of state_on_grant. */
void batch_store_told(BatchStore *store, const char *token);
/* Batches that wait. */
size_t batch_store_waiting(const BatchStore *store);

#endif
