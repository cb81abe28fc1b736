/* See batch_store.h. */
#include "services/claims/batch_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/claims/claims_metrics.h"
#include "services/claims/orphan_store.h"

enum {
  ASK_AGAIN_MS = 1000,
  /* The state drops one that waits by itself this long after its caller should have, in case this replica dies. */
  WAITER_MARGIN_MS = 1000,
  RETRY_EMPTY_MS = 1000,
};

struct BatchStore {
  Claims *claims;
  BatchOp *waiting; /* few: each stands for many sandboxes */
};

static void ask(BatchOp *op);

static void stop_waiting(BatchOp *op) {
  if (!op->waiting)
    return;
  BatchOp **at = &op->store->waiting;
  while (*at != op)
    at = &(*at)->next;
  *at = op->next;
  op->waiting = false;
}

/* The op belongs to the caller again. */
static void finish(BatchOp *op, const BatchResult *result, bool queued, const Error *err) {
  stop_waiting(op);
  loop_timer_free(op->timer);
  loop_timer_free(op->ask_again);
  op->fn(op->arg, result, queued, err);
}

static void fail(BatchOp *op, ErrorKind kind, const char *message) {
  Error err = {0};
  error_set(&err, kind, "%s", message);
  if (kind == ERROR_RESOURCE_EXHAUSTED)
    err.retry_after_ms = RETRY_EMPTY_MS;
  finish(op, NULL, false, &err);
}

static bool may_come_back(const BatchOp *op) {
  return !str_empty(op->spec->each.request_id);
}

static void fail_ended(BatchOp *op) {
  if (op->cancelled)
    fail(op, ERROR_CANCELLED, "the caller has gone");
  else if (op->call_ends_first)
    fail(op, ERROR_DEADLINE_EXCEEDED, "the pool did not have enough ready before the deadline of the call");
  else
    fail(op, ERROR_RESOURCE_EXHAUSTED, "the pool did not have enough ready within max_wait");
}

static bool ended(const BatchOp *op) {
  return op->cancelled || op->expired;
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

/* Another call of this replica with the same request_id waits in the same place. */
static bool shared(const BatchOp *op) {
  for (const BatchOp *o = op->store->waiting; o; o = o->next)
    if (o != op && str_equal(o->token, op->token))
      return true;
  return false;
}

static void leave(BatchOp *op) {
  op->busy = true;
  if (shared(op))
    on_left(op, NULL);
  else
    state_batch_leave(op->store->claims->state, op->spec->each.ns, op->spec->each.pool, op->token, !may_come_back(op),
                      on_left, op);
}

static void on_wait_over(void *arg) {
  BatchOp *op = arg;
  op->expired = true;
  if (!op->busy)
    leave(op);
}

static void on_ask_again(void *arg) {
  BatchOp *op = arg;
  if (!op->busy)
    ask(op);
}

static void enter(BatchOp *op, const char *token) {
  snprintf(op->token, sizeof op->token, "%s", token);
  if (!op->waiting) {
    op->waiting = true;
    op->next = op->store->waiting;
    op->store->waiting = op;
  }
  if (ended(op)) {
    leave(op);
    return;
  }
  if (!op->timer) {
    Loop *loop = op->store->claims->service->loop;
    int64_t left = op->give_up_ms - clock_mono_ms();
    op->timer = loop_timer_new(loop, on_wait_over, op);
    loop_timer_start(op->timer, left > 0 ? left : 0);
    op->ask_again = loop_timer_new(loop, on_ask_again, op);
  }
  /* It may overtake the answer that says QUEUED. */
  if (op->told)
    ask(op);
  else
    loop_timer_start(op->ask_again, ASK_AGAIN_MS);
}

static void fail_too_late(BatchOp *op) {
  Error err = {0};
  error_field(&err, "request_id", "its sandboxes have ended; new ones take a new request_id");
  err.kind = ERROR_FAILED_PRECONDITION;
  finish(op, NULL, false, &err);
}

static void granted(BatchOp *op, const BatchResult *result) {
  bool left = false;
  for (size_t i = 0; i < result->n_records; i++)
    left = left || result->records[i].state != SANDBOX_RELEASING;
  if (op->cancelled && !may_come_back(op))
    leave(op);
  else if (!left)
    fail_too_late(op);
  else
    finish(op, result, result->records[0].wait_ms > 0, NULL);
}

static void on_error(BatchOp *op, const Error *err) {
  bool away = err->kind == ERROR_UNAVAILABLE;
  if (away && ended(op)) {
    orphan(op);
    fail_ended(op);
  } else if (away && op->waiting) {
    loop_timer_start(op->ask_again, ASK_AGAIN_MS);
  } else if (away && !op->repeated) {
    op->repeated = true;
    ask(op);
  } else {
    orphan(op);
    finish(op, NULL, false, err);
  }
}

static void on_answer(void *arg, const BatchResult *result, const Error *err) {
  BatchOp *op = arg;
  Error refused = {0};
  op->busy = false;
  if (err) {
    on_error(op, err);
    return;
  }
  switch (result->outcome) {
  case CLAIM_GRANTED:
    granted(op, result);
    break;
  case CLAIM_QUEUED:
    enter(op, result->token);
    break;
  case CLAIM_EMPTY:
    if (ended(op))
      fail_ended(op);
    else
      fail(op, ERROR_RESOURCE_EXHAUSTED, "not enough are ready");
    break;
  case CLAIM_FULL:
    fail(op, ERROR_RESOURCE_EXHAUSTED, "the queue of the pool is full");
    break;
  case CLAIM_NO_POOL:
    error_set(&refused, ERROR_NOT_FOUND, "pool %s in namespace %s does not exist", op->spec->each.pool,
              op->spec->each.ns);
    finish(op, NULL, false, &refused);
    break;
  case CLAIM_ENDED:
    fail_too_late(op);
    break;
  case CLAIM_REFUSED:
    claim_refusal(&op->spec->each, result->refusal, &refused);
    metrics_add(op->store->claims->service->metrics, CLAIMS_METRIC_REFUSED, 1, op->spec->each.ns, op->spec->each.tenant,
                result->refusal->limit);
    finish(op, NULL, false, &refused);
    break;
  }
}

static void ask(BatchOp *op) {
  const ClaimSpec *each = &op->spec->each;
  int64_t wait_ms = op->give_up_ms - clock_mono_ms();
  BatchRequest request = {
      .each = claim_request(each, each->pool, op->token, wait_ms > 0 ? wait_ms + WAITER_MARGIN_MS : 0),
      .count = op->spec->count,
      .min_count = op->spec->min_count,
  };
  op->busy = true;
  op->told = false;
  state_batch(op->store->claims->state, &request, on_answer, op);
}

void batch_store_acquire(BatchStore *store, BatchOp *op, const BatchSpec *spec, int64_t call_ms, BatchStoreFn fn,
                         void *arg) {
  int64_t max_wait_ms = spec->each.max_wait_ms;
  *op = (BatchOp){.store = store, .spec = spec, .fn = fn, .arg = arg, .call_ends_first = call_ms < max_wait_ms};
  op->give_up_ms = clock_mono_ms() + (op->call_ends_first ? call_ms : max_wait_ms);
  random_uid(op->token);
  memset(op->token + 28, '0', 4);
  ask(op);
}

void batch_store_cancel(BatchOp *op) {
  op->cancelled = true;
  if (!op->busy)
    leave(op);
}

void batch_store_told(BatchStore *store, const char *token) {
  /* asking answers later, so that the list stays as it is meanwhile */
  for (BatchOp *op = store->waiting; op; op = op->next) {
    if (token && !str_equal(op->token, token))
      continue;
    if (op->busy)
      op->told = true;
    else
      ask(op);
  }
}

size_t batch_store_waiting(const BatchStore *store) {
  size_t n = 0;
  for (const BatchOp *op = store->waiting; op; op = op->next)
    n++;
  return n;
}

BatchStore *batch_store_new(Claims *claims) {
  BatchStore *store = calloc(1, sizeof *store);
  if (!store)
    abort();
  store->claims = claims;
  return store;
}

void batch_store_free(BatchStore *store) {
  free(store);
}
