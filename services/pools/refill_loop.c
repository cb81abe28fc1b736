/* See refill_loop.h. Entries live as long as their pool is listed; one whose pool has gone is freed when the
 * look under way is over. */
#include "services/pools/refill_loop.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/pools/pool.h"
#include "services/pools/pools_metrics.h"
#include "services/pools/reconciler_rpc.h"
#include "services/pools/refill.h"

enum {
  KEY_SIZE = 2 * (STATE_NAME_MAX + 1),
  /* 28^5 suffixes make a collision rare; three in a row mean something else is wrong. */
  MAX_NAMINGS = 3,
  RETRY_ORDER_MS = 1000,
};

typedef struct Entry {
  char key[KEY_SIZE]; /* "namespace/pool"; first member, the key of the tree */
  char ns[STATE_NAME_MAX + 1];
  char name[STATE_NAME_MAX + 1];
  RefillLoop *loop;
  LoopTimer *again;
  bool busy, dirty, listed, gone;
  int64_t resend_ms; /* monotonic: when to hand over what is CREATING again */
  /* The look under way. */
  Arena *arena;
  RefillInput input;
  RefillDecision decision;
  const char *template_name, *template_hash, *manifest, *reason;
  const char **ids;
  size_t n_ids;
  int namings;
  int64_t again_ms;
} Entry;

struct RefillLoop {
  Pools *pools;
  bool leads, listing;
  LoopTimer *timer;
  void *root; /* tsearch(3) */
};

static void look(Entry *e);
static void order(Entry *e);
static void retire(Entry *e);
static void resend(Entry *e);

static State *state_of(const Entry *e) { return e->loop->pools->state; }
static Metrics *metrics_of(const Entry *e) { return e->loop->pools->service->metrics; }

static int compare(const void *a, const void *b) { return strcmp(a, b); }

static void entry_free(void *arg) {
  Entry *e = arg;
  loop_timer_free(e->again);
  arena_free(e->arena);
  free(e);
}

/* ---- the end of a look ---- */

static void done(Entry *e) {
  e->busy = false;
  arena_reset(e->arena);
  if (e->gone) {
    entry_free(e);
    return;
  }
  if (e->dirty)
    look(e);
  else if (e->again_ms != INT64_MAX)
    loop_timer_start(e->again, e->again_ms > 0 ? e->again_ms : 0);
}

static void look_again_in(Entry *e, int64_t ms) {
  if (ms < e->again_ms)
    e->again_ms = ms;
}

static void on_again(void *arg) { look(arg); }

/* ---- reasons ---- */

static void on_reason_set(void *arg, const Error *err) {}

static void set_reason(Entry *e, const char *reason, const char *message) {
  if (str_equal(e->reason, reason))
    return;
  e->reason = arena_strdup(e->arena, reason);
  if (*reason)
    log_event(LOG_WARN, "pool_not_full", LOG_STR("pool", e->key), LOG_STR("reason", reason), LOG_STR("message", message));
  state_pool_set_reason(state_of(e), e->ns, e->name, reason, message, on_reason_set, NULL);
}

/* The reconciler takes orders again. */
static void clear_order_reason(Entry *e) {
  if (str_equal(e->reason, "ReconcilerUnavailable"))
    set_reason(e, "", "");
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
static void refused(Entry *e, const Error *err) {
  const char *reason = err->kind == ERROR_FAILED_PRECONDITION || err->kind == ERROR_INVALID_ARGUMENT
                           ? "TemplateRefused"
                           : "ReconcilerError";
  const char *message =
      err->field[0] ? arena_printf(e->arena, "%s: %s", err->field, err->message) : err->message;
  set_reason(e, reason, message);
  for (size_t i = 0; i < e->n_ids; i++)
    state_failed(state_of(e), e->ns, e->ids[i], reason, message, on_given_up, NULL);
}

/* err NULL: accepted. */
static void order_answered(Entry *e, const Error *err) {
  if (!err) {
    clear_order_reason(e);
    return;
  }
  metrics_add(metrics_of(e), POOLS_METRIC_REFUSED, 1, error_kind_name(err->kind), NULL, NULL);
  if (worth_repeating(err->kind)) {
    set_reason(e, "ReconcilerUnavailable", err->message);
    e->resend_ms = clock_mono_ms() + RETRY_ORDER_MS;
    look_again_in(e, RETRY_ORDER_MS);
  } else {
    refused(e, err);
  }
}

static void send_order(Entry *e, void (*fn)(void *arg, const Error *err)) {
  ReconcilerOrder o = {
      .ns = e->ns,
      .pool = e->name,
      .template_name = e->template_name,
      .manifest = e->manifest,
      .template_hash = e->template_hash,
      .ids = e->ids,
      .n_ids = e->n_ids,
  };
  reconciler_create_sandboxes(e->loop->pools->reconciler, &o, fn, e);
}

static void on_ordered(void *arg, const Error *err) {
  Entry *e = arg;
  order_answered(e, err);
  retire(e);
}

static void on_registered(void *arg, const Error *err) {
  Entry *e = arg;
  if (err && err->kind == ERROR_ALREADY_EXISTS && ++e->namings < MAX_NAMINGS) {
    order(e);
    return;
  }
  if (err) {
    log_event(LOG_WARN, "sandboxes_not_registered", LOG_STR("pool", e->key), LOG_ERR(err));
    done(e);
    return;
  }
  metrics_add(metrics_of(e), POOLS_METRIC_ORDERED, (double)e->n_ids, NULL, NULL, NULL);
  log_event(LOG_INFO, "sandboxes_ordered", LOG_STR("pool", e->key), LOG_INT("count", (int64_t)e->n_ids),
            LOG_STR("template_hash", e->template_hash));
  send_order(e, on_ordered);
}

static void order(Entry *e) {
  e->n_ids = e->loop->leads ? (size_t)e->decision.create : 0;
  if (e->n_ids == 0) {
    retire(e);
    return;
  }
  e->ids = arena_alloc(e->arena, e->n_ids * sizeof *e->ids);
  for (size_t i = 0; i < e->n_ids; i++) {
    char suffix[STATE_SUFFIX_LEN + 1];
    random_name_suffix(suffix, STATE_SUFFIX_LEN);
    e->ids[i] = arena_printf(e->arena, "%s-%s", e->name, suffix);
  }
  state_register(state_of(e), e->ns, e->name, e->template_name, e->template_hash, e->ids, e->n_ids, on_registered, e);
}

/* ---- retiring ---- */

static void count_retired(Entry *e, int n, const char *reason) {
  if (n <= 0)
    return;
  metrics_add(metrics_of(e), POOLS_METRIC_RETIRED, n, reason, NULL, NULL);
  log_event(LOG_INFO, "sandboxes_retired", LOG_STR("pool", e->key), LOG_INT("count", n), LOG_STR("reason", reason));
}

static void on_stale_retired(void *arg, int n, const Error *err) {
  Entry *e = arg;
  if (!err)
    count_retired(e, n, "Stale");
  resend(e);
}

static void on_surplus_retired(void *arg, int n, const Error *err) {
  Entry *e = arg;
  if (!err)
    count_retired(e, n, "Surplus");
  resend(e);
}

static void retire(Entry *e) {
  const RefillDecision *d = &e->decision;
  if (e->loop->leads && d->retire > 0)
    state_retire(state_of(e), e->ns, e->name, false, (size_t)d->retire, "Surplus", on_surplus_retired, e);
  else if (e->loop->leads && d->retire_stale > 0)
    state_retire(state_of(e), e->ns, e->name, true, (size_t)d->retire_stale, "Stale", on_stale_retired, e);
  else
    resend(e);
}

/* ---- handing over again ---- */

static void on_resent(void *arg, const Error *err) {
  Entry *e = arg;
  order_answered(e, err);
  done(e);
}

static void on_creating(void *arg, const char *const *ids, size_t n_ids, const Error *err) {
  Entry *e = arg;
  if (err || n_ids == 0) {
    done(e);
    return;
  }
  e->ids = arena_alloc(e->arena, n_ids * sizeof *e->ids);
  e->n_ids = n_ids;
  for (size_t i = 0; i < n_ids; i++)
    e->ids[i] = arena_strdup(e->arena, ids[i]);
  send_order(e, on_resent);
}

static void resend(Entry *e) {
  int64_t now_ms = clock_mono_ms();
  if (e->input.n_creating == 0)
    e->resend_ms = now_ms + REFILL_RESEND_MS;
  if (!e->loop->leads || e->input.n_creating == 0 || !e->manifest || now_ms < e->resend_ms) {
    done(e);
    return;
  }
  e->resend_ms = now_ms + REFILL_RESEND_MS;
  state_creating(state_of(e), e->ns, e->name, on_creating, e);
}

/* ---- the look ---- */

static void on_hash_set(void *arg, const Error *err) {
  Entry *e = arg;
  if (err)
    done(e);
  else
    order(e);
}

static void decide(Entry *e, bool hash_is_new) {
  e->input.now_ms = clock_wall_ms();
  e->decision = refill_decide(&e->input);
  if (e->decision.again_ms != INT64_MAX)
    look_again_in(e, e->decision.again_ms - e->input.now_ms);
  if (hash_is_new)
    state_pool_set_hash(state_of(e), e->ns, e->name, e->template_hash, on_hash_set, e);
  else
    order(e);
}

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  Entry *e = arg;
  if (err && err->kind != ERROR_NOT_FOUND) {
    done(e);
    return;
  }
  e->input.template_missing = !record;
  bool hash_is_new = false;
  if (record) {
    hash_is_new = !str_equal(record->hash, e->template_hash);
    e->template_hash = arena_strdup(e->arena, record->hash);
    e->manifest = arena_strdup(e->arena, record->manifest);
    if (str_equal(e->reason, "TemplateNotFound"))
      set_reason(e, "", "");
  } else if (!e->input.deleted) {
    set_reason(e, "TemplateNotFound", arena_printf(e->arena, "template %s does not exist", e->template_name));
  }
  decide(e, hash_is_new);
}

static void on_pool(void *arg, const PoolRecord *record, const Error *err) {
  Entry *e = arg;
  if (!record) {
    done(e);
    return;
  }
  e->input = (RefillInput){
      .replicas = record->replicas,
      .implicit = record->implicit,
      .deleted = record->deleted,
      .recreate = record->strategy == POOL_RECREATE,
      .n_creating = record->n_creating,
      .n_ready = record->n_ready,
      .n_waiting = record->n_waiting,
      .n_failures = record->n_failures,
      .failure_ms = record->failure_ms,
  };
  e->template_name = arena_strdup(e->arena, record->template_name);
  e->template_hash = arena_strdup(e->arena, record->template_hash ? record->template_hash : "");
  e->reason = arena_strdup(e->arena, record->reason ? record->reason : "");
  state_template_get(state_of(e), e->ns, e->template_name, on_template, e);
}

static void look(Entry *e) {
  e->dirty = true;
  if (!e->loop->leads || e->busy)
    return;
  e->dirty = false;
  e->busy = true;
  e->namings = 0;
  e->manifest = NULL;
  e->again_ms = INT64_MAX;
  loop_timer_stop(e->again);
  state_pool_get(state_of(e), e->ns, e->name, on_pool, e);
}

/* ---- which pools there are ---- */

static Entry *ensure(RefillLoop *loop, const char *ns, const char *name) {
  char key[KEY_SIZE];
  snprintf(key, sizeof key, "%s/%s", ns, name);
  Entry **node = tfind(key, &loop->root, compare);
  if (node)
    return *node;
  Entry *e = calloc(1, sizeof *e);
  if (!e)
    abort();
  memcpy(e->key, key, sizeof key);
  snprintf(e->ns, sizeof e->ns, "%s", ns);
  snprintf(e->name, sizeof e->name, "%s", name);
  e->loop = loop;
  e->arena = arena_new();
  e->again = loop_timer_new(loop->pools->service->loop, on_again, e);
  if (!tsearch(e, &loop->root, compare))
    abort();
  return e;
}

typedef struct Unlisted {
  Entry **entries;
  size_t n;
} Unlisted;

static void collect_unlisted(const void *node, VISIT which, void *closure) {
  Unlisted *unlisted = closure;
  Entry *e = *(Entry *const *)node;
  if ((which != postorder && which != leaf) || e->listed) {
    if (which == postorder || which == leaf)
      e->listed = false;
    return;
  }
  unlisted->entries = reallocarray(unlisted->entries, unlisted->n + 1, sizeof(Entry *));
  if (!unlisted->entries)
    abort();
  unlisted->entries[unlisted->n++] = e;
}

static void drop_unlisted(RefillLoop *loop) {
  Unlisted unlisted = {0};
  twalk_r(loop->root, collect_unlisted, &unlisted);
  for (size_t i = 0; i < unlisted.n; i++) {
    Entry *e = unlisted.entries[i];
    tdelete(e->key, &loop->root, compare);
    e->gone = true;
    if (!e->busy)
      entry_free(e);
  }
  free(unlisted.entries);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  RefillLoop *loop = arg;
  loop->listing = false;
  loop_timer_start(loop->timer, REFILL_LOOK_MS);
  if (err)
    return;
  for (size_t i = 0; i < names->n_names; i++) {
    const char *slash = strchr(names->names[i], '/');
    if (!slash)
      continue;
    CLEANUP(str_freep) char *ns = str_ndup(names->names[i], (size_t)(slash - names->names[i]));
    Entry *e = ensure(loop, ns, slash + 1);
    e->listed = true;
    look(e);
  }
  drop_unlisted(loop);
}

void refill_loop_look(RefillLoop *loop) {
  if (loop->listing || !loop->leads)
    return;
  loop->listing = true;
  loop_timer_stop(loop->timer);
  state_pool_names(loop->pools->state, "", "", 0, on_names, loop);
}

static void on_timer(void *arg) { refill_loop_look(arg); }

static void on_hint(void *arg, const char *ns, const char *name) {
  RefillLoop *loop = arg;
  if (!ns)
    refill_loop_look(loop);
  else if (loop->leads)
    look(ensure(loop, ns, name));
}

void refill_loop_lead(RefillLoop *loop, bool leads) {
  loop->leads = leads;
  metrics_set(loop->pools->service->metrics, POOLS_METRIC_LEADER, leads, NULL, NULL, NULL);
  log_event(LOG_INFO, "leadership", LOG_BOOL("leads", leads));
  refill_loop_look(loop);
}

RefillLoop *refill_loop_new(Pools *pools) {
  RefillLoop *loop = calloc(1, sizeof *loop);
  if (!loop)
    abort();
  loop->pools = pools;
  loop->timer = loop_timer_new(pools->service->loop, on_timer, loop);
  state_on_pools(pools->state, on_hint, loop);
  return loop;
}

void refill_loop_free(RefillLoop *loop) {
  if (!loop)
    return;
  loop_timer_free(loop->timer);
  tdestroy(loop->root, entry_free);
  free(loop);
}
