/* See reconcile_loop.h. */
#include "services/reconciler/reconcile_loop.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_lease.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/reconciler_metrics.h"
#include "services/reconciler/router_rpc.h"
#include "services/reconciler/tell_loop.h"

/* A hint that was lost costs at most this long. */
#define LOOK_MS 3000
#define LIST_PAGE 500
/* State and world are compared as a whole when either was away, and this often in case something was missed. */
#define COMPARE_MS 600000

struct ReconcileLoop {
  Reconciler *r;
  LoopTimer *timer;
  char epoch[40];
  bool comparing;
  int64_t compared_ms;
  TellLoop tell;
};

const char *reconcile_loop_epoch(const ReconcileLoop *rl) {
  return *rl->epoch ? rl->epoch : NULL;
}

/* ---- what the world says ---- */

static void on_ready(void *arg, const BackendSandbox *b) {
  tell_loop_ready(&((ReconcileLoop *)arg)->tell, b);
}

static void on_unready(void *arg, const char *ns, const char *id) {
  tell_loop_unready(&((ReconcileLoop *)arg)->tell, ns, id);
}

static void on_ended(void *arg, const char *ns, const char *id, const char *reason, const char *message) {
  tell_loop_failed(&((ReconcileLoop *)arg)->tell, ns, id, reason, message);
}

static void on_deleted(void *arg, const char *ns, const char *id, const char *message) {
  tell_loop_deleted(&((ReconcileLoop *)arg)->tell, ns, id, "Deleted", message);
}

static void on_unfit(void *arg, const char *ns, const char *id, bool failed, const char *reason, const char *message) {
  tell_loop_unfit(&((ReconcileLoop *)arg)->tell, ns, id, failed, reason, message);
}

static void on_destroyed(void *arg, const char *ns, const char *id) {
  tell_loop_gone(&((ReconcileLoop *)arg)->tell, ns, id);
}

static void on_lead(void *arg, bool leads) {
  ReconcileLoop *rl = arg;
  if (rl->tell.stopped)
    return;
  if (leads)
    return reconcile_loop_connected(rl);
  loop_timer_stop(rl->timer);
  *rl->epoch = 0;
}

static void bind_runtime(void *arg, const char *ns, const char *id, const char *uid,
                         void (*fn)(void *arg, const Error *err), void *fn_arg) {
  ReconcileLoop *rl = arg;
  if (rl->r->router)
    return router_rpc_bind(rl->r->router, ns, id, uid, fn, fn_arg);
  Error err;
  error_set(&err, rl->tell.stopped ? ERROR_CANCELLED : ERROR_FAILED_PRECONDITION,
            "no router is there to bind runtimes");
  fn(fn_arg, &err);
}

const BackendEvents RECONCILE_EVENTS = {.on_ready = on_ready,
                                        .on_unready = on_unready,
                                        .on_ended = on_ended,
                                        .on_deleted = on_deleted,
                                        .on_unfit = on_unfit,
                                        .on_destroyed = on_destroyed,
                                        .on_lead = on_lead,
                                        .bind_runtime = bind_runtime};

/* ---- destroying what is RELEASING ---- */

typedef struct PoolLook {
  ReconcileLoop *rl;
  char ns[STATE_NAME_MAX + 1], pool[STATE_NAME_MAX + 1];
} PoolLook;

static PoolLook *pool_look_new(ReconcileLoop *rl, const char *ns, const char *pool) {
  PoolLook *l = new0(PoolLook);
  l->rl = rl;
  strncpy(l->ns, ns, STATE_NAME_MAX);
  strncpy(l->pool, pool, STATE_NAME_MAX);
  return l;
}

static void on_releasing(void *arg, const char *const *ids, size_t n, const Error *err) {
  PoolLook *l = arg;
  Backend *b = l->rl->r->backend;
  for (size_t i = 0; !err && i < n; i++)
    b->ops->destroy(b, l->ns, ids[i]);
  free(l);
}

static void look_at_pool(ReconcileLoop *rl, const char *ns, const char *pool) {
  state_releasing(rl->r->state, ns, pool, on_releasing, pool_look_new(rl, ns, pool));
}

/* ---- comparing state and world ---- */

/* A sandbox of the world: does the state still have it? */
typedef struct Doubt {
  ReconcileLoop *rl;
  char *ns, *id, *route, *class_name;
  bool ended, unwell;
} Doubt;

/* It came up, perhaps where it was not before, and the state was away when that was told. */
static bool is_news(const Doubt *d, const SandboxRecord *rec) {
  if (!*d->route)
    return false;
  if (rec->state == SANDBOX_CREATING)
    return true;
  /* the uid of an object of the world (it has hyphens): taken before it was ready, perhaps, and kept in line by the
   * backend */
  return (rec->state == SANDBOX_READY || (rec->state == SANDBOX_CLAIMED && !strchr(rec->uid, '-'))) &&
         strcmp(d->route, rec->route) != 0;
}

static void on_doubt(void *arg, const SandboxRecord *rec, const Error *err) {
  Doubt *d = arg;
  Backend *b = d->rl->r->backend;
  if (!*d->rl->epoch) {
    /* it was looked at while this replica led */
  } else if (err && err->kind == ERROR_NOT_FOUND) {
    log_event(LOG_WARN, "sandbox_unknown", LOG_STR("namespace", d->ns), LOG_STR("sandbox", d->id));
    b->ops->destroy(b, d->ns, d->id);
  } else if (!err && is_news(d, rec)) {
    BackendSandbox v = {.ns = d->ns, .id = d->id, .route = d->route, .runtime_class = d->class_name, .ready = true};
    tell_loop_ready(&d->rl->tell, &v);
  } else if (!err && d->ended && (rec->state == SANDBOX_CREATING || rec->state == SANDBOX_READY)) {
    tell_loop_unfit(&d->rl->tell, d->ns, d->id, true, "Ended", "it ended by itself");
  } else if (!err && d->unwell && rec->state == SANDBOX_READY) {
    tell_loop_unready(&d->rl->tell, d->ns, d->id);
  }
  free(d->ns);
  free(d->id);
  free(d->route);
  free(d->class_name);
  free(d);
}

static void doubt(void *arg, const BackendSandbox *v) {
  ReconcileLoop *rl = arg;
  if (strcmp(v->epoch, rl->epoch) != 0) {
    /* the state as a rule has no record of it; if there is one, it must not be offered any more */
    return tell_loop_unfit(&rl->tell, v->ns, v->id, false, "Unproven", "its mark is of another data set");
  }
  Doubt *d = new0(Doubt);
  *d = (Doubt){.rl = rl,
               .ns = str_dup(v->ns),
               .id = str_dup(v->id),
               .route = str_dup(v->ready ? v->route : ""),
               .class_name = str_dup(v->runtime_class),
               .ended = v->ended,
               .unwell = v->unwell};
  state_get(rl->r->state, d->ns, d->id, on_doubt, d);
}

/* ---- a record of the state: does the world still have it? ---- */

static void on_let_go(void *arg, const Error *err) {}

static void search(ReconcileLoop *rl, const SandboxRecord *rec) {
  Backend *b = rl->r->backend;
  /* CREATING ones are asked for again by pools, RELEASING ones are destroyed below */
  if (rec->state != SANDBOX_READY && rec->state != SANDBOX_CLAIMED)
    return;
  bool held = rec->state == SANDBOX_CLAIMED;
  if (b->ops->exists(b, rec->ns, rec->id, held ? rec->uid : ""))
    return;
  if (held && b->ops->exists(b, rec->ns, rec->id, "")) {
    /* the sandbox is there and its claim is not */
    log_event(LOG_INFO, "claim_gone", LOG_STR("namespace", rec->ns), LOG_STR("sandbox", rec->id));
    state_release(rl->r->state, rec->ns, rec->id, rec->uid, "ClaimDeleted", on_let_go, NULL);
  } else {
    /* not by itself, as far as anyone can say: an older data set has come back, or the machine started again */
    tell_loop_deleted(&rl->tell, rec->ns, rec->id, "Lost", "the sandbox is no longer there");
  }
}

static void on_page(void *arg, const SandboxPage *page, const Error *err) {
  PoolLook *l = arg;
  /* who does not lead any more has an old picture of the world, and no business with the state */
  bool leads = !err && *l->rl->epoch;
  for (size_t i = 0; leads && i < page->n_records; i++)
    search(l->rl, &page->records[i]);
  if (leads && page->next)
    return state_list(l->rl->r->state, l->ns, l->pool, page->next, LIST_PAGE, on_page, l);
  free(l);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  ReconcileLoop *rl = arg;
  for (size_t i = 0; !err && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (!name)
      continue;
    look_at_pool(rl, ns, name);
    if (rl->comparing)
      state_list(rl->r->state, ns, name, "", LIST_PAGE, on_page, pool_look_new(rl, ns, name));
  }
  if (!err)
    rl->comparing = false;
}

static void compare(ReconcileLoop *rl) {
  rl->comparing = true;
  rl->compared_ms = loop_now_ms(rl->r->service->loop);
  rl->r->backend->ops->observe(rl->r->backend, doubt, rl);
}

static void list_pools(ReconcileLoop *rl) {
  if (service_state_connected(rl->r->shared))
    state_pool_names(rl->r->state, "", "", 0, on_names, rl);
}

static void on_epoch(void *arg, bool same, const char *epoch, const Error *err);

/* A data set can be emptied under a connection that stays: its mark is read each time. */
static void on_epoch_again(void *arg, bool same, const char *epoch, const Error *err) {
  ReconcileLoop *rl = arg;
  if (!err && !same)
    return on_epoch(rl, false, epoch, NULL);
  if (err || rl->tell.stopped || !*rl->epoch)
    return;
  if (loop_now_ms(rl->r->service->loop) - rl->compared_ms > COMPARE_MS)
    compare(rl);
  list_pools(rl);
}

static void look(void *arg) {
  ReconcileLoop *rl = arg;
  if (!*rl->epoch)
    return reconcile_loop_connected(rl);
  loop_timer_start(rl->timer, LOOK_MS);
  if (service_state_connected(rl->r->shared))
    state_epoch(rl->r->state, rl->epoch, on_epoch_again, rl);
}

static void on_epoch(void *arg, bool same, const char *epoch, const Error *err) {
  ReconcileLoop *rl = arg;
  Backend *b = rl->r->backend;
  if (rl->tell.stopped)
    return;
  if (err) {
    if (err->kind != ERROR_CANCELLED)
      loop_timer_start(rl->timer, TELL_AGAIN_MS);
    return;
  }
  if (!same)
    log_event(LOG_WARN, "epoch_changed", LOG_STR("epoch", epoch),
              LOG_STR("effect", "every sandbox from before is destroyed"));
  if (b->ops->leads && !b->ops->leads(b))
    return;
  strncpy(rl->epoch, epoch, sizeof rl->epoch - 1);
  service_set_ready(rl->r->service, NULL);
  if (b->ops->connected)
    b->ops->connected(b, epoch, same);
  compare(rl);
  list_pools(rl);
  loop_timer_start(rl->timer, LOOK_MS);
}

/* The marks that the world carries. */
typedef struct Marks {
  const char *epoch;
  bool is_known;
  char other[40];
} Marks;

static void note_mark(void *arg, const BackendSandbox *v) {
  Marks *m = arg;
  if (strcmp(v->epoch, m->epoch) == 0)
    m->is_known = true;
  else if (!*m->other)
    strncpy(m->other, v->epoch, sizeof m->other - 1);
}

/* The data set is the world's when any sandbox has its mark. Those of another mark are replaced one by one: in a
 * cluster, people may write marks, and one of them must not make all others be taken for those of a lost data set. */
static void on_first_epoch(void *arg, bool same, const char *epoch, const Error *err) {
  ReconcileLoop *rl = arg;
  if (err || rl->tell.stopped)
    return on_epoch(rl, same, epoch, err);
  Marks m = {.epoch = epoch};
  rl->r->backend->ops->observe(rl->r->backend, note_mark, &m);
  if (m.is_known || !*m.other)
    return on_epoch(rl, true, epoch, NULL);
  state_epoch(rl->r->state, m.other, on_epoch, rl);
}

void reconcile_loop_connected(ReconcileLoop *rl) {
  Backend *b = rl->r->backend;
  if (!b || (b->ops->leads && !b->ops->leads(b)))
    return service_set_ready(rl->r->service, "another replica leads, or the world is not known yet");
  state_epoch(rl->r->state, rl->epoch, *rl->epoch ? on_epoch : on_first_epoch, rl);
}

static void on_hint(void *arg, const char *ns, const char *pool) {
  ReconcileLoop *rl = arg;
  if (!*rl->epoch)
    return;
  if (ns)
    look_at_pool(rl, ns, pool);
  else
    list_pools(rl);
}

static void on_reaped(void *arg, int64_t releasing_ms) {
  ReconcileLoop *rl = arg;
  metrics_observe(rl->r->service->metrics, RECONCILER_METRIC_REAP, (double)releasing_ms / 1000, NULL, NULL, NULL);
}

ReconcileLoop *reconcile_loop_new(Reconciler *r) {
  ReconcileLoop *rl = new0(ReconcileLoop);
  rl->r = rl->tell.r = r;
  rl->timer = loop_timer_new(r->service->loop, look, rl);
  state_on_releasing(r->state, on_hint, rl);
  state_on_reaped(r->state, on_reaped, rl);
  return rl;
}

void reconcile_loop_stop(ReconcileLoop *rl) {
  tell_loop_stop(&rl->tell);
  loop_timer_stop(rl->timer);
}

void reconcile_loop_free(ReconcileLoop *rl) {
  loop_timer_free(rl->timer);
  tell_loop_deinit(&rl->tell);
  free(rl);
}
