/* See claim_store.h. */
#include "services/claims/claim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "services/claims/batch_store.h"
#include "services/claims/claim_queue.h"
#include "services/claims/claims_metrics.h"
#include "services/claims/directory.h"
#include "services/claims/orphan_store.h"

enum {
  ASK_AGAIN_MS = 1000,
  /* The state drops a waiter by itself this long after its caller should have, in case this replica dies. */
  WAITER_MARGIN_MS = 1000,
  /* An implicit pool vanishes when it is empty, so it may go between making it and claiming from it. */
  MAX_MAKES = 3,
  RETRY_EMPTY_MS = 1000,
};

struct ClaimStore {
  Claims *claims;
  ClaimQueue *queue;
  size_t n_waiting;
};

static void claim(ClaimOp *op);
static void confirm(ClaimOp *op);
static void choose_pool(ClaimOp *op);

static void leave_queue(ClaimOp *op) {
  claim_queue_remove(op->store->queue, op);
  op->store->n_waiting -= op->waiting;
  op->waiting = false;
}

static const char SCRIPT[] = "claim script", WAIT[] = "queue wait", CONFIRM[] = "confirm";

/* What the op does from here on, as a span of its own; NULL: nothing more. Asking again while it waits is waiting. */
static void enter_phase(ClaimOp *op, const char *name) {
  if (!op->span || op->phase_name == name)
    return;
  trace_end(op->phase);
  op->phase_name = name;
  op->phase = name ? trace_child(op->span, TRACE_INTERNAL, name) : NULL;
}

/* The op belongs to the caller again. */
static void finish(ClaimOp *op, const SandboxRecord *record, const Error *err) {
  enter_phase(op, NULL);
  leave_queue(op);
  loop_timer_free(op->timer);
  loop_timer_free(op->ask_again);
  op->fn(op->arg, record, op->queued, err);
}

static void fail(ClaimOp *op, ErrorKind kind, const char *message) {
  Error err = {0};
  error_set(&err, kind, "%s", message);
  if (kind == ERROR_RESOURCE_EXHAUSTED)
    err.retry_after_ms = RETRY_EMPTY_MS;
  finish(op, NULL, &err);
}

static void on_unpinned(void *arg, const Error *err) {
  fail(arg, ERROR_RESOURCE_EXHAUSTED, "nothing is ready");
}

/* Nothing at once, and no wait: the next try may choose another pool. */
static void fail_empty(ClaimOp *op) {
  const ClaimSpec *spec = op->spec;
  op->busy = true;
  if (str_empty(spec->template_name) || str_empty(spec->request_id))
    on_unpinned(op, NULL);
  else
    state_unpin(op->store->claims->state, spec->ns, spec->template_name, spec->tenant, spec->request_id, on_unpinned,
                op);
}

static void fail_refused(ClaimOp *op, const QuotaRefusal *refusal) {
  Error err = {0};
  claim_refusal(op->spec, refusal, &err);
  metrics_add(op->store->claims->service->metrics, CLAIMS_METRIC_REFUSED, 1, op->spec->ns, op->spec->tenant,
              refusal->limit);
  finish(op, NULL, &err);
}

static void fail_ended(ClaimOp *op) {
  if (op->cancelled)
    fail(op, ERROR_CANCELLED, "the caller has gone");
  else if (op->call_ends_first)
    fail(op, ERROR_DEADLINE_EXCEEDED, "the pool had nothing ready before the deadline of the call");
  else
    fail(op, ERROR_RESOURCE_EXHAUSTED, "the pool had nothing ready within max_wait");
}

static bool ended(const ClaimOp *op) {
  return op->cancelled || op->expired;
}

static void on_left(void *arg, const Error *err) {
  ClaimOp *op = arg;
  if (err && str_empty(op->spec->request_id))
    orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
  fail_ended(op);
}

/* Leaves the queue, unless another call here waits in the same place. */
static void leave(ClaimOp *op) {
  bool shared = claim_queue_shares(op->store->queue, op);
  leave_queue(op);
  op->busy = true;
  if (shared)
    on_left(op, NULL);
  else
    state_cancel_wait(op->store->claims->state, op->spec->ns, op->pool, op->token, on_left, op);
}

static void on_given_back(void *arg, const Error *err) {
  ClaimOp *op = arg;
  if (err)
    orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
  fail_ended(op);
}

/* What was claimed is being destroyed: a grant nobody confirmed in time, or, for a repeated request_id, what
 * its holder has let go of since. */
static void on_too_late(ClaimOp *op) {
  if (!str_empty(op->spec->request_id)) {
    Error err = {0};
    error_field(&err, "request_id", "its sandbox has ended; a new one takes a new request_id");
    err.kind = ERROR_FAILED_PRECONDITION;
    finish(op, NULL, &err);
  } else if (ended(op)) {
    leave_queue(op);
    fail_ended(op);
  } else {
    leave_queue(op);
    random_uid(op->uid);
    claim(op);
  }
}

static void granted(ClaimOp *op, const SandboxRecord *record) {
  op->queued = op->queued || record->wait_ms > 0;
  if (record->state == SANDBOX_RELEASING) {
    on_too_late(op);
    return;
  }
  if (record->pending && !op->cancelled) {
    claim_queue_put(op->store->queue, op, record->uid);
    confirm(op);
    return;
  }
  if (op->cancelled && str_empty(op->spec->request_id)) {
    leave_queue(op);
    op->busy = true;
    state_release(op->store->claims->state, record->ns, record->id, record->uid, "CallerGone", on_given_back, op);
    return;
  }
  finish(op, record, NULL);
}

/* ---- waiting ---- */

static void on_wait_over(void *arg) {
  ClaimOp *op = arg;
  op->expired = true;
  if (!op->busy)
    leave(op);
}

static void on_ask_again(void *arg) {
  ClaimOp *op = arg;
  if (!op->busy)
    claim(op);
}

static void ask_again_soon(ClaimOp *op) {
  if (!op->ask_again)
    op->ask_again = loop_timer_new(op->store->claims->service->loop, on_ask_again, op);
  loop_timer_start(op->ask_again, ASK_AGAIN_MS);
}

static void enter_queue(ClaimOp *op, const char *token) {
  enter_phase(op, WAIT);
  claim_queue_put(op->store->queue, op, token);
  op->queued = true;
  op->store->n_waiting += !op->waiting;
  op->waiting = true;
  if (ended(op)) {
    leave(op);
    return;
  }
  if (!op->timer) {
    op->timer = loop_timer_new(op->store->claims->service->loop, on_wait_over, op);
    int64_t left = op->give_up_ms - clock_mono_ms();
    loop_timer_start(op->timer, left > 0 ? left : 0);
  }
  if (!str_empty(op->spec->request_id))
    ask_again_soon(op);
  /* It may overtake the answer that says QUEUED. */
  if (op->grant_seen)
    confirm(op);
}

static void on_confirmed(void *arg, const SandboxRecord *record, const Error *err) {
  ClaimOp *op = arg;
  op->busy = false;
  if (record)
    granted(op, record);
  else if (ended(op))
    leave(op);
  else if (err->kind == ERROR_NOT_FOUND)
    claim(op); /* still waiting, or confirmed too late: the claim script knows */
  else if (err->kind == ERROR_UNAVAILABLE)
    ask_again_soon(op);
  else
    finish(op, NULL, err);
}

static void confirm(ClaimOp *op) {
  enter_phase(op, CONFIRM);
  op->busy = true;
  op->grant_seen = false;
  state_confirm(op->store->claims->state, op->spec->ns, op->pool, op->token, on_confirmed, op);
}

static void granted_op(ClaimOp *op) {
  if (op->busy)
    op->grant_seen = true;
  else
    confirm(op);
}

static void on_grant(void *arg, const char *token, const char *id) {
  ClaimStore *store = arg;
  claim_queue_each(store->queue, token, granted_op);
  batch_store_told(store->claims->batches, token);
}

/* ---- claiming ---- */

static void on_no_pool(ClaimOp *op) {
  Error err = {0};
  if (str_empty(op->spec->template_name)) {
    error_set(&err, ERROR_NOT_FOUND, "pool %s in namespace %s does not exist", op->pool, op->spec->ns);
    finish(op, NULL, &err);
    return;
  }
  op->implicit = true;
  choose_pool(op);
}

static void on_claim(void *arg, const ClaimResult *result, const Error *err) {
  ClaimOp *op = arg;
  op->busy = false;
  if (err) {
    /* One that waits already goes on waiting. */
    if (err->kind == ERROR_UNAVAILABLE && op->waiting && !ended(op)) {
      ask_again_soon(op);
      return;
    }
    if (err->kind == ERROR_UNAVAILABLE && !op->repeated && !op->cancelled) {
      op->repeated = true;
      claim(op);
      return;
    }
    if (str_empty(op->spec->request_id))
      orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
    finish(op, NULL, err);
    return;
  }
  switch (result->outcome) {
  case CLAIM_GRANTED:
    granted(op, result->record);
    break;
  case CLAIM_QUEUED:
    enter_queue(op, result->token);
    break;
  case CLAIM_EMPTY:
    if (!ended(op) && str_empty(op->spec->request_id) && !str_empty(op->spec->template_name) && !op->implicit)
      choose_pool(op);
    else
      fail_empty(op);
    break;
  case CLAIM_FULL:
    fail(op, ERROR_RESOURCE_EXHAUSTED, "the queue of the pool is full");
    break;
  case CLAIM_NO_POOL:
    on_no_pool(op);
    break;
  case CLAIM_ENDED:
    on_too_late(op);
    break;
  case CLAIM_REFUSED:
    fail_refused(op, result->refusal);
    break;
  }
}

static void claim(ClaimOp *op) {
  enter_phase(op, op->waiting ? WAIT : SCRIPT);
  const ClaimSpec *spec = op->spec;
  int64_t wait_ms = op->give_up_ms - clock_mono_ms();
  /* Other pools of a template are only tried: the queue to wait in is the implicit or the pinned one's. */
  bool queue = wait_ms > 0 && (str_empty(spec->template_name) || op->implicit || !str_empty(spec->request_id));
  ClaimRequest request = claim_request(spec, op->pool, op->uid, queue ? wait_ms + WAITER_MARGIN_MS : 0);
  if (!op->listed)
    claim_queue_put(op->store->queue, op, op->uid);
  op->busy = true;
  op->grant_seen = false;
  state_claim(op->store->claims->state, &request, on_claim, op);
}

/* ---- from a template ---- */

static void on_implicit_made(void *arg, const PoolRecord *pool, const Error *err) {
  ClaimOp *op = arg;
  op->busy = false;
  /* NOT_FOUND: it has gone again already, which the claim is told as well, and then it is made once more */
  if (err && err->kind != ERROR_NOT_FOUND)
    finish(op, NULL, err);
  else if (ended(op))
    fail_ended(op);
  else
    claim(op);
}

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  ClaimOp *op = arg;
  op->busy = false;
  Error out;
  if (err && err->kind == ERROR_NOT_FOUND) {
    error_set(&out, ERROR_NOT_FOUND, "template %s in namespace %s does not exist", op->spec->template_name,
              op->spec->ns);
    finish(op, NULL, &out);
  } else if (err) {
    finish(op, NULL, err);
  } else if (ended(op)) {
    fail_ended(op);
  } else if (op->spec->max_wait_ms == 0 || op->makes++ == MAX_MAKES) {
    fail_empty(op);
  } else {
    op->busy = true;
    char shape[MANIFEST_SHAPE_MAX];
    manifest_shape(record->manifest, shape);
    PoolRecord pool = {.ns = op->spec->ns,
                       .name = op->pool,
                       .template_name = op->spec->template_name,
                       .implicit = true,
                       .shape = shape};
    state_pool_apply(op->store->claims->state, &pool, on_implicit_made, op);
  }
}

static void use_implicit(ClaimOp *op) {
  Error err = {0};
  if (claim_implicit_pool(op->spec->template_name, op->pool, &err) < 0) {
    finish(op, NULL, &err);
    return;
  }
  op->implicit = true;
  op->busy = true;
  state_template_get(op->store->claims->state, op->spec->ns, op->spec->template_name, on_template, op);
}

static void on_pinned(void *arg, const char *pool, const Error *err) {
  ClaimOp *op = arg;
  op->busy = false;
  if (err) {
    finish(op, NULL, err);
  } else if (ended(op)) {
    fail_ended(op);
  } else if (str_starts_with(pool, STATE_IMPLICIT_POOL_PREFIX)) {
    use_implicit(op);
  } else {
    snprintf(op->pool, sizeof op->pool, "%s", pool);
    claim(op);
  }
}

static void choose_pool(ClaimOp *op) {
  const ClaimSpec *spec = op->spec;
  const DirectoryPool *pool = NULL;
  if (!op->implicit && op->n_tried < CLAIM_STORE_MAX_TRIES)
    pool = directory_pick(op->store->claims->directory, spec->ns, spec->template_name,
                          (const char(*)[STATE_NAME_MAX + 1]) op->tried, op->n_tried);
  if (!str_empty(spec->request_id) && !op->implicit && op->n_tried == 0) {
    char implicit[STATE_NAME_MAX + 1];
    Error err = {0};
    if (!pool && claim_implicit_pool(spec->template_name, implicit, &err) < 0) {
      finish(op, NULL, &err);
      return;
    }
    op->busy = true;
    op->n_tried = 1; /* the pinned one */
    state_pin(op->store->claims->state, spec->ns, spec->template_name, spec->tenant, spec->request_id,
              pool ? pool->name : implicit, on_pinned, op);
    return;
  }
  if (!pool || !str_empty(spec->request_id)) {
    use_implicit(op);
    return;
  }
  snprintf(op->tried[op->n_tried++], sizeof op->tried[0], "%s", pool->name);
  snprintf(op->pool, sizeof op->pool, "%s", pool->name);
  claim(op);
}

void claim_store_acquire(ClaimStore *store, ClaimOp *op, const ClaimSpec *spec, int64_t call_ms, const TraceSpan *span,
                         ClaimStoreFn fn, void *arg) {
  *op = (ClaimOp){
      .store = store, .spec = spec, .fn = fn, .arg = arg, .span = span, .call_ends_first = call_ms < spec->max_wait_ms};
  op->give_up_ms = clock_mono_ms() + (op->call_ends_first ? call_ms : spec->max_wait_ms);
  random_uid(op->uid);
  if (str_empty(spec->pool)) {
    choose_pool(op);
    return;
  }
  snprintf(op->pool, sizeof op->pool, "%s", spec->pool);
  claim(op);
}

void claim_store_cancel(ClaimOp *op) {
  op->cancelled = true;
  if (!op->busy)
    leave(op);
}

size_t claim_store_waiting(const ClaimStore *store) {
  return store->n_waiting;
}

ClaimStore *claim_store_new(Claims *claims) {
  ClaimStore *store = calloc(1, sizeof *store);
  if (!store)
    abort();
  store->claims = claims;
  store->queue = claim_queue_new();
  state_on_grant(claims->state, on_grant, store);
  return store;
}

void claim_store_free(ClaimStore *store) {
  if (!store)
    return;
  claim_queue_free(store->queue);
  free(store);
}
