/* See refill_pool.h. */
#include "services/pools/refill_pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "lib/state/state_template.h"
#include "services/pools/pool.h"
#include "services/pools/pools_metrics.h"
#include "services/pools/reconciler_rpc.h"
#include "services/pools/refill.h"

enum {
  /* 28^5 suffixes make a collision rare; three in a row mean something else is wrong. */
  MAX_NAMINGS = 3,
  RETRY_ORDER_MS = 1000,
  /* One replica of the reconciler leads and the others refuse; the channel takes them in turn, and other pools'
   * orders take turns in between. So asking at once again finds the leader. */
  MAX_ASKED = 4,
};

struct RefillPool {
  char key[REFILL_KEY_SIZE];
  char ns[STATE_NAME_MAX + 1];
  char name[STATE_NAME_MAX + 1];
  Pools *pools;
  const bool *leads;
  LoopTimer *again;
  bool busy, dirty, gone;
  int replicas; /* at the last look; -1: none yet */
  bool lowered;
  int64_t seen_ready, taken_ms, taken_since_ms; /* what refill.h wants to know of the past; monotonic */
  int64_t failure_ms, failure_seen_ms;          /* as the state has it; monotonic: when it was first seen */
  PoolNumbers numbers;
  int64_t resend_ms; /* monotonic: when to hand over what is CREATING again */
  /* The look under way. */
  Arena *arena;
  RefillInput input;
  RefillDecision decision;
  const char *template_name, *template_hash, *manifest, *reason;
  const char **ids;
  size_t n_ids;
  int namings;
  int asked;       /* how often the order was sent */
  TraceSpan *span; /* of the order under way; NULL: none, or traces are off */
  int64_t again_ms;
};

static void order(RefillPool *p);
static void retire(RefillPool *p);
static void resend(RefillPool *p);

static State *state_of(const RefillPool *p) {
  return p->pools->state;
}
static Metrics *metrics_of(const RefillPool *p) {
  return p->pools->service->metrics;
}

void refill_pool_free(RefillPool *p) {
  trace_end(p->span);
  loop_timer_free(p->again);
  arena_free(p->arena);
  free(p);
}

/* ---- the end of a look ---- */

static void done(RefillPool *p) {
  p->busy = false;
  arena_reset(p->arena);
  if (p->gone) {
    refill_pool_free(p);
    return;
  }
  if (p->dirty)
    refill_pool_look(p);
  else if (p->again_ms != INT64_MAX)
    loop_timer_start(p->again, p->again_ms > 0 ? p->again_ms : 0);
}

static void look_again_in(RefillPool *p, int64_t ms) {
  if (ms < p->again_ms)
    p->again_ms = ms;
}

static void on_again(void *arg) {
  refill_pool_look(arg);
}

/* ---- reasons ---- */

static void on_reason_set(void *arg, const Error *err) {}

static void set_reason(RefillPool *p, const char *reason, const char *message) {
  if (str_equal(p->reason, reason))
    return;
  p->reason = arena_strdup(p->arena, reason);
  if (*reason)
    log_event(LOG_WARN, "pool_not_full", LOG_STR("pool", p->key), LOG_STR("reason", reason),
              LOG_STR("message", message));
  state_pool_set_reason(state_of(p), p->ns, p->name, reason, message, on_reason_set, NULL);
}

/* The reconciler takes orders again. */
static void clear_order_reason(RefillPool *p) {
  if (str_equal(p->reason, "ReconcilerUnavailable"))
    set_reason(p, "", "");
}

/* ---- orders ---- */

static void on_given_up(void *arg, const Error *err) {}

static bool worth_repeating(ErrorKind kind) {
  switch (kind) {
  case ERROR_UNAVAILABLE:
  case ERROR_DEADLINE_EXCEEDED:
  case ERROR_CANCELLED:
  case ERROR_RESOURCE_EXHAUSTED:
    return true;
  default:
    return false;
  }
}

/* Refused for good: the names are given up, which counts as failed starts. */
static void refused(RefillPool *p, const Error *err) {
  const char *reason = err->kind == ERROR_FAILED_PRECONDITION || err->kind == ERROR_INVALID_ARGUMENT
                           ? "TemplateRefused"
                           : "ReconcilerError";
  const char *message = err->field[0] ? arena_printf(p->arena, "%s: %s", err->field, err->message) : err->message;
  set_reason(p, reason, message);
  for (size_t i = 0; i < p->n_ids; i++)
    state_failed(state_of(p), p->ns, p->ids[i], reason, message, on_given_up, NULL);
}

/* err NULL: accepted. */
static void order_answered(RefillPool *p, const Error *err) {
  if (!err) {
    clear_order_reason(p);
    return;
  }
  metrics_add(metrics_of(p), POOLS_METRIC_REFUSED, 1, error_kind_name(err->kind), NULL, NULL);
  if (worth_repeating(err->kind)) {
    set_reason(p, "ReconcilerUnavailable", err->message);
    p->resend_ms = loop_now_ms(p->pools->service->loop) + RETRY_ORDER_MS;
    look_again_in(p, RETRY_ORDER_MS);
  } else {
    refused(p, err);
  }
}

static void send_order(RefillPool *p, void (*fn)(void *arg, const Error *err)) {
  ReconcilerOrder o = {
      .ns = p->ns,
      .pool = p->name,
      .template_name = p->template_name,
      .manifest = p->manifest,
      .template_hash = p->template_hash,
      .ids = p->ids,
      .n_ids = p->n_ids,
      .span = p->span,
  };
  reconciler_create_sandboxes(p->pools->reconciler, &o, fn, p);
}

static bool ask_the_next(RefillPool *p, const Error *err, void (*fn)(void *arg, const Error *err)) {
  if (!err || err->kind != ERROR_UNAVAILABLE || ++p->asked >= MAX_ASKED)
    return false;
  send_order(p, fn);
  return true;
}

static void begin_span(RefillPool *p) {
  p->span = trace_start(p->pools->service->tracer, TRACE_INTERNAL, "refill pool", NULL, NULL);
  trace_str(p->span, "sandplane.namespace", p->ns);
  trace_str(p->span, "sandplane.pool", p->name);
  trace_int(p->span, "sandplane.count", (int64_t)p->n_ids);
}

static void end_span(RefillPool *p, const Error *err) {
  if (err)
    trace_fail(p->span, err->message);
  trace_end(p->span);
  p->span = NULL;
}

static void on_ordered(void *arg, const Error *err) {
  RefillPool *p = arg;
  if (ask_the_next(p, err, on_ordered))
    return;
  end_span(p, err);
  order_answered(p, err);
  retire(p);
}

static void on_registered(void *arg, const Error *err) {
  RefillPool *p = arg;
  if (err && err->kind == ERROR_ALREADY_EXISTS && ++p->namings < MAX_NAMINGS) {
    order(p);
    return;
  }
  if (err) {
    end_span(p, err);
    log_event(LOG_WARN, "sandboxes_not_registered", LOG_STR("pool", p->key), LOG_ERR(err));
    done(p);
    return;
  }
  metrics_add(metrics_of(p), POOLS_METRIC_ORDERED, (double)p->n_ids, NULL, NULL, NULL);
  log_event(LOG_INFO, "sandboxes_ordered", LOG_STR("pool", p->key), LOG_INT("count", (int64_t)p->n_ids),
            LOG_STR("template_hash", p->template_hash));
  p->asked = 0;
  send_order(p, on_ordered);
}

static void order(RefillPool *p) {
  p->n_ids = *p->leads ? (size_t)p->decision.create : 0;
  if (p->n_ids == 0) {
    retire(p);
    return;
  }
  if (!p->span)
    begin_span(p); /* names that were taken already are chosen again in the same one */
  p->ids = arena_alloc(p->arena, p->n_ids * sizeof *p->ids);
  for (size_t i = 0; i < p->n_ids; i++) {
    char suffix[STATE_SUFFIX_LEN + 1];
    random_name_suffix(suffix, STATE_SUFFIX_LEN);
    p->ids[i] = arena_printf(p->arena, "%s-%s", p->name, suffix);
  }
  state_register(state_of(p), p->ns, p->name, p->template_name, p->template_hash, p->ids, p->n_ids, on_registered, p);
}

/* ---- retiring ---- */

static void count_retired(RefillPool *p, int n, const char *reason) {
  pools_count_retired(metrics_of(p), p->key, n, reason);
}

static void on_stale_retired(void *arg, int n, const Error *err) {
  RefillPool *p = arg;
  if (!err)
    count_retired(p, n, "Stale");
  resend(p);
}

static void on_surplus_retired(void *arg, int n, const Error *err) {
  RefillPool *p = arg;
  if (!err)
    count_retired(p, n, "Surplus");
  resend(p);
}

static void retire(RefillPool *p) {
  const RefillDecision *d = &p->decision;
  StateRetire surplus = d->starting ? RETIRE_ANY : RETIRE_READY;
  if (*p->leads && d->retire > 0)
    state_retire(state_of(p), p->ns, p->name, surplus, (size_t)d->retire, "Surplus", on_surplus_retired, p);
  else if (*p->leads && d->retire_stale > 0)
    state_retire(state_of(p), p->ns, p->name, RETIRE_STALE, (size_t)d->retire_stale, "Stale", on_stale_retired, p);
  else
    resend(p);
}

/* ---- handing over again ---- */

static void on_resent(void *arg, const Error *err) {
  RefillPool *p = arg;
  if (ask_the_next(p, err, on_resent))
    return;
  order_answered(p, err);
  done(p);
}

static void on_creating(void *arg, const char *const *ids, size_t n_ids, const Error *err) {
  RefillPool *p = arg;
  if (err || n_ids == 0) {
    done(p);
    return;
  }
  p->ids = arena_alloc(p->arena, n_ids * sizeof *p->ids);
  p->n_ids = n_ids;
  for (size_t i = 0; i < n_ids; i++)
    p->ids[i] = arena_strdup(p->arena, ids[i]);
  p->asked = 0;
  send_order(p, on_resent);
}

static void resend(RefillPool *p) {
  int64_t now_ms = loop_now_ms(p->pools->service->loop);
  if (p->input.n_creating == 0)
    p->resend_ms = now_ms + REFILL_RESEND_MS;
  if (!*p->leads || p->input.n_creating == 0 || !p->manifest || now_ms < p->resend_ms) {
    done(p);
    return;
  }
  p->resend_ms = now_ms + REFILL_RESEND_MS;
  state_creating(state_of(p), p->ns, p->name, on_creating, p);
}

/* ---- the look ---- */

static void on_hash_set(void *arg, int n_retired, const Error *err) {
  RefillPool *p = arg;
  if (err) {
    done(p);
    return;
  }
  count_retired(p, n_retired, "Stale");
  order(p);
}

static void decide(RefillPool *p, bool hash_is_new) {
  p->input.now_ms = loop_now_ms(p->pools->service->loop);
  p->decision = refill_decide(&p->input);
  if (p->decision.heal)
    state_pool_heal(state_of(p), p->ns, p->name, on_reason_set, NULL);
  if (!p->decision.starting)
    p->lowered = false;
  if (p->decision.again_ms != INT64_MAX)
    look_again_in(p, p->decision.again_ms - p->input.now_ms);
  if (!hash_is_new) {
    order(p);
    return;
  }
  char shape[MANIFEST_SHAPE_MAX];
  manifest_shape(p->manifest, shape);
  state_pool_set_hash(state_of(p), p->ns, p->name, p->template_hash, shape, on_hash_set, p);
}

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  RefillPool *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND) {
    done(p);
    return;
  }
  p->input.template_missing = !record;
  bool hash_is_new = false;
  if (record) {
    hash_is_new = !str_equal(record->hash, p->template_hash);
    p->template_hash = arena_strdup(p->arena, record->hash);
    p->manifest = arena_strdup(p->arena, record->manifest);
    if (str_equal(p->reason, "TemplateNotFound"))
      set_reason(p, "", "");
  } else if (!p->input.deleted) {
    set_reason(p, "TemplateNotFound", arena_printf(p->arena, "template %s does not exist", p->template_name));
  }
  decide(p, hash_is_new);
}

/* Fewer are ready than at the last look: some were taken, or retired, which counts the same. */
static void note_taken(RefillPool *p, int64_t now_ms) {
  if (p->input.n_ready < p->seen_ready) {
    if (now_ms - p->taken_ms > REFILL_QUIET_MS)
      p->taken_since_ms = now_ms;
    p->taken_ms = now_ms;
  }
  p->seen_ready = p->input.n_ready;
  p->input.taken_ms = p->taken_ms;
  p->input.taken_since_ms = p->taken_since_ms;
}

/* The state has it by its own clock. It counts from when it was first seen here, or from before that where the clocks
 * say so: one that is off, or was for a moment, must not keep a pool from being filled. */
static void note_failure(RefillPool *p, int64_t failure_ms) {
  int64_t now_ms = loop_now_ms(p->pools->service->loop), age_ms = clock_wall_ms() - failure_ms;
  if (failure_ms != p->failure_ms) {
    p->failure_ms = failure_ms;
    p->failure_seen_ms = now_ms;
  }
  if (age_ms < now_ms - p->failure_seen_ms)
    age_ms = now_ms - p->failure_seen_ms;
  p->input.failure_ms = now_ms - age_ms;
}

void refill_pool_report(const RefillPool *p) {
  pools_metrics_report(metrics_of(p), p->ns, p->name, &p->numbers);
}

static void on_pool(void *arg, const PoolRecord *record, const Error *err) {
  RefillPool *p = arg;
  if (!record) {
    if (err && err->kind == ERROR_NOT_FOUND)
      p->numbers.known = false;
    done(p);
    return;
  }
  p->numbers = pools_metrics_numbers(record);
  if (record->replicas < p->replicas)
    p->lowered = true;
  p->replicas = record->replicas;
  p->input = (RefillInput){
      .lowered = p->lowered,
      .replicas = record->replicas,
      .max_creating = p->pools->config->max_creating,
      .implicit = record->implicit,
      .deleted = record->deleted,
      .recreate = record->strategy == POOL_RECREATE,
      .n_creating = record->n_creating,
      .n_ready = record->n_ready,
      .n_waiting = record->n_waiting,
      .n_failures = record->n_failures,
      .n_early = record->n_early,
  };
  note_taken(p, loop_now_ms(p->pools->service->loop));
  note_failure(p, record->failure_ms);
  p->template_name = arena_strdup(p->arena, record->template_name);
  p->template_hash = arena_strdup(p->arena, record->template_hash ? record->template_hash : "");
  p->reason = arena_strdup(p->arena, record->reason ? record->reason : "");
  state_template_get(state_of(p), p->ns, p->template_name, on_template, p);
}

void refill_pool_look(RefillPool *p) {
  p->dirty = true;
  if (!*p->leads || p->busy)
    return;
  p->dirty = false;
  p->busy = true;
  p->namings = 0;
  p->manifest = NULL;
  p->again_ms = INT64_MAX;
  loop_timer_stop(p->again);
  state_pool_get(state_of(p), p->ns, p->name, on_pool, p);
}

RefillPool *refill_pool_new(Pools *pools, const bool *leads, const char *ns, const char *name) {
  RefillPool *p = new0(RefillPool);
  snprintf(p->key, sizeof p->key, "%s/%s", ns, name);
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  p->pools = pools;
  p->leads = leads;
  p->replicas = -1;
  p->arena = arena_new();
  p->again = loop_timer_new(pools->service->loop, on_again, p);
  return p;
}

bool refill_pool_is_busy(const RefillPool *p) {
  return p->busy;
}

void refill_pool_drop(RefillPool *p) {
  p->gone = true;
  if (!p->busy)
    refill_pool_free(p);
}
