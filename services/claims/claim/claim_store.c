/* See claim_store.h. */
#include "services/claims/claim/claim_store.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "lib/state/state_template.h"
#include "services/claims/batch/batch_store.h"
#include "services/claims/claim/directory.h"
#include "services/claims/claim/orphan_store.h"
#include "services/claims/claim/refusal.h"

enum {
  /* An implicit pool vanishes when it is empty, so it may go between making it and claiming from it. */
  MAX_MAKES = 3,
};

struct ClaimStore {
  Claims *claims;
  WaitQueue *waits;
};

static void claim(ClaimOp *op);
static void confirm(ClaimOp *op);
static void choose_pool(ClaimOp *op);

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
  wait_done(&op->wait);
  op->fn(op->arg, record, op->queued, err);
}

static void fail_ended(ClaimOp *op) {
  Error err = {0};
  refusal_ended(&op->wait, "had nothing ready", !str_empty(op->spec->request_id), &err);
  finish(op, NULL, &err);
}

static void on_unpinned(void *arg, const Error *err) {
  Error empty = {0};
  refusal_empty(&empty, "nothing is ready");
  finish(arg, NULL, &empty);
}

static void fail_refused(ClaimOp *op, ClaimOutcome outcome, const QuotaRefusal *refusal) {
  Error err = {0};
  refusal_of(op->store->claims, op->spec, outcome, refusal, &err);
  finish(op, NULL, &err);
}

/* Nothing at once, and no wait: the next try may choose another pool. */
static void fail_empty(ClaimOp *op) {
  const ClaimSpec *spec = op->spec;
  if (str_empty(spec->template_name) || str_empty(spec->request_id))
    on_unpinned(op, NULL);
  else
    state_unpin(op->store->claims->state, spec->ns, spec->template_name, spec->tenant, spec->request_id, on_unpinned,
                op);
}

static void on_left(void *arg, const Error *err) {
  ClaimOp *op = arg;
  /* what was confirmed without an answer, leaving does not touch */
  if ((err || op->wait.in_doubt) && str_empty(op->spec->request_id))
    orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
  fail_ended(op);
}

static void leave(void *arg, bool shared) {
  ClaimOp *op = arg;
  if (shared)
    on_left(op, NULL);
  else
    state_cancel_wait(op->store->claims->state, op->spec->ns, op->pool, op->wait.token, on_left, op);
}

static void on_given_back(void *arg, const Error *err) {
  ClaimOp *op = arg;
  if (err)
    orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
  fail_ended(op);
}

/* Nobody was told of what it had, and a uid stands for one sandbox. */
static void start_over(ClaimOp *op) {
  if (op->wait.end) {
    fail_ended(op);
    return;
  }
  wait_unlist(&op->wait);
  random_uid(op->uid);
  claim(op);
}

/* What was claimed is being destroyed: a grant nobody confirmed in time, or, for a repeated request_id, what
 * its holder has let go of since. */
static void on_too_late(ClaimOp *op) {
  if (!str_empty(op->spec->request_id)) {
    Error err = {0};
    error_field(&err, "request_id", "its sandbox has ended; a new one takes a new request_id");
    err.kind = ERROR_FAILED_PRECONDITION;
    finish(op, NULL, &err);
  } else {
    start_over(op);
  }
}

static void granted(ClaimOp *op, const SandboxRecord *record) {
  bool gone = op->wait.end == WAIT_CANCELLED;
  op->queued = op->queued || record->wait_ms > 0;
  if (record->state == SANDBOX_RELEASING) {
    on_too_late(op);
  } else if (record->pending && !gone) {
    wait_list(&op->wait, record->uid);
    confirm(op);
  } else if (gone && str_empty(op->spec->request_id)) {
    wait_gives_back(&op->wait);
    state_release(op->store->claims->state, record->ns, record->id, record->uid, "CallerGone", on_given_back, op);
  } else {
    finish(op, record, NULL);
  }
}

/* ---- waiting ---- */

static void enter_queue(ClaimOp *op, const char *token) {
  enter_phase(op, WAIT);
  op->queued = true;
  wait_placed(&op->wait, token, !str_empty(op->spec->request_id));
}

static void on_confirmed(void *arg, const SandboxRecord *record, const Error *err) {
  ClaimOp *op = arg;
  if (record) {
    wait_answered(&op->wait);
    granted(op, record);
  } else if (err->kind == ERROR_UNAVAILABLE) {
    if (op->wait.end)
      wait_leave_in_doubt(&op->wait);
    else
      wait_again(&op->wait);
  } else {
    wait_answered(&op->wait);
    if (op->wait.end)
      wait_leave(&op->wait);
    else if (err->kind == ERROR_NOT_FOUND)
      claim(op); /* still waiting, or confirmed too late: the claim script knows */
    else
      finish(op, NULL, err);
  }
}

static void confirm(ClaimOp *op) {
  enter_phase(op, CONFIRM);
  wait_sends(&op->wait, WAIT_CONFIRMING);
  state_confirm(op->store->claims->state, op->spec->ns, op->pool, op->wait.token, on_confirmed, op);
}

static void on_grant(void *arg, const char *token, const char *id) {
  ClaimStore *store = arg;
  wait_queue_tell(store->waits, token);
  batch_store_told(store->claims->batches, token);
}

/* ---- claiming ---- */

static void on_no_pool(ClaimOp *op) {
  if (str_empty(op->spec->template_name)) {
    fail_refused(op, CLAIM_NO_POOL, NULL);
    return;
  }
  op->implicit = true;
  choose_pool(op);
}

static void on_claim(void *arg, const ClaimResult *result, const Error *err) {
  ClaimOp *op = arg;
  if (err) {
    if (err->kind == ERROR_UNAVAILABLE && wait_unanswered(&op->wait))
      return;
    if (str_empty(op->spec->request_id))
      orphan_store_add(op->store->claims->orphans, op->spec->ns, op->pool, op->uid);
    finish(op, NULL, err);
    return;
  }
  wait_answered(&op->wait);
  switch (result->outcome) {
  case CLAIM_GRANTED:
    granted(op, result->record);
    break;
  case CLAIM_QUEUED:
    enter_queue(op, result->token);
    break;
  case CLAIM_EMPTY:
    if (!op->wait.end && str_empty(op->spec->request_id) && !str_empty(op->spec->template_name) && !op->implicit)
      choose_pool(op);
    else
      fail_empty(op);
    break;
  case CLAIM_NO_POOL:
    on_no_pool(op);
    break;
  case CLAIM_ENDED:
    on_too_late(op);
    break;
  case CLAIM_SPENT:
    start_over(op);
    break;
  case CLAIM_FULL:
  case CLAIM_REFUSED:
    fail_refused(op, result->outcome, result->refusal);
    break;
  }
}

static void claim(ClaimOp *op) {
  enter_phase(op, op->wait.placed ? WAIT : SCRIPT);
  const ClaimSpec *spec = op->spec;
  /* Other pools of a template are only tried: the queue to wait in is the implicit or the pinned one's. */
  bool queue = str_empty(spec->template_name) || op->implicit || !str_empty(spec->request_id);
  ClaimRequest request = claim_request(spec, op->pool, op->uid, queue ? wait_place_ms(&op->wait) : 0);
  if (!op->wait.listed)
    wait_list(&op->wait, op->uid);
  wait_sends(&op->wait, WAIT_ASKING);
  state_claim(op->store->claims->state, &request, on_claim, op);
}

static void ask(void *op) {
  claim(op);
}

static void told(void *op) {
  confirm(op);
}

static const WaitKind KIND = {.ask = ask, .told = told, .leave = leave};

/* ---- from a template ---- */

static void on_implicit_made(void *arg, const PoolRecord *pool, const Error *err) {
  ClaimOp *op = arg;
  /* NOT_FOUND: it has gone again already, which the claim is told as well, and then it is made once more */
  if (err && err->kind != ERROR_NOT_FOUND)
    finish(op, NULL, err);
  else if (op->wait.end)
    fail_ended(op);
  else
    claim(op);
}

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  ClaimOp *op = arg;
  Error out;
  if (err && err->kind == ERROR_NOT_FOUND) {
    error_set(&out, ERROR_NOT_FOUND, "template %s in namespace %s does not exist", op->spec->template_name,
              op->spec->ns);
    finish(op, NULL, &out);
  } else if (err) {
    finish(op, NULL, err);
  } else if (op->wait.end) {
    fail_ended(op);
  } else if (op->spec->max_wait_ms == 0 || op->makes++ == MAX_MAKES) {
    fail_empty(op);
  } else {
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
  state_template_get(op->store->claims->state, op->spec->ns, op->spec->template_name, on_template, op);
}

static void on_pinned(void *arg, const char *pool, const Error *err) {
  ClaimOp *op = arg;
  if (err) {
    finish(op, NULL, err);
  } else if (op->wait.end) {
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
  *op = (ClaimOp){.store = store, .spec = spec, .fn = fn, .arg = arg, .span = span};
  wait_begin(&op->wait, store->waits, store->claims->service->loop, &KIND, op, spec->max_wait_ms, call_ms);
  random_uid(op->uid);
  if (str_empty(spec->pool)) {
    choose_pool(op);
    return;
  }
  snprintf(op->pool, sizeof op->pool, "%s", spec->pool);
  claim(op);
}

void claim_store_cancel(ClaimOp *op) {
  wait_cancel(&op->wait);
}

size_t claim_store_waiting(const ClaimStore *store) {
  return wait_queue_placed(store->waits);
}

ClaimStore *claim_store_new(Claims *claims) {
  ClaimStore *store = new0(ClaimStore);
  store->claims = claims;
  store->waits = wait_queue_new();
  state_on_grant(claims->state, on_grant, store);
  return store;
}

void claim_store_free(ClaimStore *store) {
  if (!store)
    return;
  wait_queue_free(store->waits);
  free(store);
}
