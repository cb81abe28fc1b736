/* See batch_store.h. */
#include "services/claims/batch/batch_store.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_batch.h"
#include "services/claims/claim/orphan_store.h"
#include "services/claims/claim/refusal.h"

struct BatchStore {
  Claims *claims;
  WaitQueue *waits;
};

static void ask(void *op);

static void new_token(BatchOp *op) {
  random_uid(op->token);
  memset(op->token + 28, '0', 4);
}

/* The op belongs to the caller again. */
static void finish(BatchOp *op, const BatchResult *result, bool queued, const Error *err) {
  wait_done(&op->wait);
  op->fn(op->arg, result, queued, err);
}

static bool may_come_back(const BatchOp *op) {
  return !str_empty(op->spec->each.request_id);
}

static void fail_ended(BatchOp *op) {
  Error err = {0};
  refusal_ended(&op->wait, "did not have enough ready", may_come_back(op), &err);
  finish(op, NULL, false, &err);
}

static void orphan(BatchOp *op) {
  if (!may_come_back(op))
    orphan_store_add_batch(op->store->claims->orphans, op->spec->each.ns, op->spec->each.pool, op->token);
}

static void on_left(void *arg, const Error *err) {
  BatchOp *op = arg;
  if (err)
    orphan(op);
  fail_ended(op);
}

static void leave(void *arg, bool shared) {
  BatchOp *op = arg;
  if (shared)
    on_left(op, NULL);
  else
    state_batch_leave(op->store->claims->state, op->spec->each.ns, op->spec->each.pool, op->token, !may_come_back(op),
                      on_left, op);
}

static void enter(BatchOp *op, const char *token) {
  snprintf(op->token, sizeof op->token, "%s", token);
  wait_placed(&op->wait, token, true);
}

static void fail_too_late(BatchOp *op) {
  Error err = {0};
  error_field(&err, "request_id", "its sandboxes have ended; new ones take a new request_id");
  err.kind = ERROR_FAILED_PRECONDITION;
  finish(op, NULL, false, &err);
}

/* Nobody was told of what it had, and a token stands for one batch. */
static void start_over(BatchOp *op) {
  if (op->wait.end) {
    fail_ended(op);
    return;
  }
  wait_unlist(&op->wait);
  new_token(op);
  ask(op);
}

static void granted(BatchOp *op, const BatchResult *result) {
  bool left = false;
  for (size_t i = 0; i < result->n_records; i++)
    left = left || result->records[i].state != SANDBOX_RELEASING;
  if (op->wait.end == WAIT_CANCELLED && !may_come_back(op))
    wait_leave(&op->wait);
  else if (!left && may_come_back(op))
    fail_too_late(op);
  else if (!left)
    start_over(op);
  else
    finish(op, result, result->records[0].wait_ms > 0, NULL);
}

static void on_answer(void *arg, const BatchResult *result, const Error *err) {
  BatchOp *op = arg;
  Error refused = {0};
  if (err) {
    if (err->kind == ERROR_UNAVAILABLE && wait_unanswered(&op->wait))
      return;
    orphan(op);
    finish(op, NULL, false, err);
    return;
  }
  wait_answered(&op->wait);
  switch (result->outcome) {
  case CLAIM_GRANTED:
    granted(op, result);
    break;
  case CLAIM_QUEUED:
    enter(op, result->token);
    break;
  case CLAIM_ENDED:
    fail_too_late(op);
    break;
  case CLAIM_SPENT:
    start_over(op);
    break;
  case CLAIM_EMPTY:
    if (op->wait.end)
      refusal_ended(&op->wait, "did not have enough ready", may_come_back(op), &refused);
    else
      refusal_empty(&refused, "not enough are ready");
    finish(op, NULL, false, &refused);
    break;
  case CLAIM_FULL:
  case CLAIM_NO_POOL:
  case CLAIM_REFUSED:
    refusal_of(op->store->claims, &op->spec->each, result->outcome, result->refusal, &refused);
    finish(op, NULL, false, &refused);
    break;
  }
}

static void ask(void *arg) {
  BatchOp *op = arg;
  const ClaimSpec *each = &op->spec->each;
  BatchRequest request = {
      .each = claim_request(each, each->pool, op->token, wait_place_ms(&op->wait)),
      .count = op->spec->count,
      .min_count = op->spec->min_count,
  };
  if (!op->wait.listed)
    wait_list(&op->wait, op->token);
  wait_sends(&op->wait, WAIT_ASKING);
  state_batch(op->store->claims->state, &request, on_answer, op);
}

/* It holds nothing while it waits, so there is nothing to confirm: it asks again. */
static const WaitKind KIND = {.ask = ask, .told = ask, .leave = leave};

void batch_store_acquire(BatchStore *store, BatchOp *op, const BatchSpec *spec, int64_t call_ms, BatchStoreFn fn,
                         void *arg) {
  *op = (BatchOp){.store = store, .spec = spec, .fn = fn, .arg = arg};
  wait_begin(&op->wait, store->waits, store->claims->service->loop, &KIND, op, spec->each.max_wait_ms, call_ms);
  new_token(op);
  ask(op);
}

void batch_store_cancel(BatchOp *op) {
  wait_cancel(&op->wait);
}

void batch_store_told(BatchStore *store, const char *token) {
  wait_queue_tell(store->waits, token);
}

size_t batch_store_waiting(const BatchStore *store) {
  return wait_queue_placed(store->waits);
}

BatchStore *batch_store_new(Claims *claims) {
  BatchStore *store = new0(BatchStore);
  store->claims = claims;
  store->waits = wait_queue_new();
  return store;
}

void batch_store_free(BatchStore *store) {
  if (!store)
    return;
  wait_queue_free(store->waits);
  free(store);
}
