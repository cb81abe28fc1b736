/* See tell_loop.h. */
#include "services/reconciler/tell_loop.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/reconciler_metrics.h"
#include "services/reconciler/start_spans.h"

/* Something the world said, until the state has it. */
typedef struct Told {
  struct Told *next, **at; /* at: what points to it */
  TellLoop *tell;
  enum { TOLD_READY, TOLD_UNREADY, TOLD_FAILED, TOLD_DELETED, TOLD_UNFIT, TOLD_UNWANTED, TOLD_GONE } what;
  char *ns, *id, *route, *class_name, *reason, *message;
  LoopTimer *again;
} Told;

static void told_free(Told *t) {
  *t->at = t->next;
  if (t->next)
    t->next->at = t->at;
  loop_timer_free(t->again);
  char *texts[] = {t->ns, t->id, t->route, t->class_name, t->reason, t->message};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    free(texts[i]);
  free(t);
}

static void tell(void *arg);

static void note_end(TellLoop *l, const char *ns, const char *id, const char *reason, const char *message) {
  log_event(LOG_WARN, "sandbox_ended", LOG_STR("namespace", ns), LOG_STR("sandbox", id), LOG_STR("reason", reason),
            LOG_STR("message", message));
  metrics_add(l->r->service->metrics, RECONCILER_METRIC_ENDED, 1, reason, NULL, NULL);
  start_spans_end(l->r->starts, ns, id, reason);
}

static void retell(Told *t) {
  if (t->tell->stopped)
    return told_free(t);
  loop_timer_start(t->again, TELL_AGAIN_MS);
}

static bool is_away(const Error *err) {
  return err && (err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_RESOURCE_EXHAUSTED);
}

static void on_told(void *arg, const Error *err) {
  Told *t = arg;
  if (is_away(err))
    return retell(t);
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_ERROR, "state_refused", LOG_STR("sandbox", t->id), LOG_ERR(err));
  told_free(t);
}

/* Only what nobody holds is destroyed; who has it has it, whatever its condition. */
static void on_unfit_told(void *arg, bool held, const Error *err) {
  Told *t = arg;
  Reconciler *r = t->tell->r;
  if (is_away(err))
    return retell(t);
  if (!err && held)
    log_event(LOG_INFO, "sandbox_kept", LOG_STR("namespace", t->ns), LOG_STR("sandbox", t->id),
              LOG_STR("reason", t->reason), LOG_STR("message", t->message));
  else if (!err && t->what == TOLD_UNFIT)
    note_end(t->tell, t->ns, t->id, t->reason, t->message);
  if (!err && !held)
    r->backend->ops->destroy(r->backend, t->ns, t->id);
  told_free(t);
}

static void on_ready_told(void *arg, bool granted, const Error *err) {
  Told *t = arg;
  Reconciler *r = t->tell->r;
  if (is_away(err))
    return retell(t);
  if (err && err->kind != ERROR_CANCELLED) {
    /* nobody wants it any more */
    r->backend->ops->destroy(r->backend, t->ns, t->id);
  } else if (!err) {
    log_event(LOG_INFO, "sandbox_ready", LOG_STR("namespace", t->ns), LOG_STR("sandbox", t->id),
              LOG_STR("class", t->class_name), LOG_BOOL("granted", granted));
  }
  told_free(t);
}

static void tell(void *arg) {
  Told *t = arg;
  State *s = t->tell->r->state;
  switch (t->what) {
  case TOLD_READY:
    return state_ready(s, t->ns, t->id, t->route, t->class_name, on_ready_told, t);
  case TOLD_UNREADY:
    return state_unready(s, t->ns, t->id, on_told, t);
  case TOLD_FAILED:
    return state_failed(s, t->ns, t->id, t->reason, t->message, on_told, t);
  case TOLD_DELETED:
    return state_deleted(s, t->ns, t->id, t->reason, t->message, on_told, t);
  case TOLD_UNFIT:
  case TOLD_UNWANTED:
    return state_unfit(s, t->ns, t->id, t->what == TOLD_UNFIT, t->reason, t->message, on_unfit_told, t);
  case TOLD_GONE:
    return state_gone(s, t->ns, t->id, on_told, t);
  }
}

static Told *told_new(TellLoop *l, int what, const char *ns, const char *id) {
  Told *t = new0(Told);
  *t = (Told){.tell = l, .what = what, .ns = str_dup(ns), .id = str_dup(id), .next = l->told, .at = &l->told};
  if (t->next)
    t->next->at = &t->next;
  l->told = t;
  t->again = loop_timer_new(l->r->service->loop, tell, t);
  return t;
}

void tell_loop_ready(TellLoop *l, const BackendSandbox *b) {
  start_spans_end(l->r->starts, b->ns, b->id, NULL);
  if (l->stopped)
    return;
  Told *t = told_new(l, TOLD_READY, b->ns, b->id);
  t->route = str_dup(b->route);
  t->class_name = str_dup(b->runtime_class);
  metrics_add(l->r->service->metrics, RECONCILER_METRIC_STARTED, 1, b->runtime_class, NULL, NULL);
  tell(t);
}

void tell_loop_unready(TellLoop *l, const char *ns, const char *id) {
  log_event(LOG_INFO, "sandbox_unready", LOG_STR("namespace", ns), LOG_STR("sandbox", id));
  if (!l->stopped)
    tell(told_new(l, TOLD_UNREADY, ns, id));
}

static void tell_end(TellLoop *l, int what, const char *ns, const char *id, const char *reason, const char *message) {
  if (l->stopped)
    return;
  Told *t = told_new(l, what, ns, id);
  t->reason = str_dup(reason);
  t->message = str_dup(message);
  tell(t);
}

void tell_loop_failed(TellLoop *l, const char *ns, const char *id, const char *reason, const char *message) {
  note_end(l, ns, id, reason, message);
  tell_end(l, TOLD_FAILED, ns, id, reason, message);
}

void tell_loop_deleted(TellLoop *l, const char *ns, const char *id, const char *reason, const char *message) {
  note_end(l, ns, id, reason, message);
  tell_end(l, TOLD_DELETED, ns, id, reason, message);
}

void tell_loop_unfit(TellLoop *l, const char *ns, const char *id, bool failed, const char *reason,
                     const char *message) {
  for (const Told *t = l->told; t; t = t->next)
    if ((t->what == TOLD_UNFIT || t->what == TOLD_UNWANTED) && str_equal(t->id, id) && str_equal(t->ns, ns))
      return;
  tell_end(l, failed ? TOLD_UNFIT : TOLD_UNWANTED, ns, id, reason, message);
}

void tell_loop_gone(TellLoop *l, const char *ns, const char *id) {
  metrics_add(l->r->service->metrics, RECONCILER_METRIC_DESTROYED, 1, NULL, NULL, NULL);
  start_spans_end(l->r->starts, ns, id, "Destroyed");
  if (l->stopped)
    return;
  log_event(LOG_INFO, "sandbox_destroyed", LOG_STR("namespace", ns), LOG_STR("sandbox", id));
  tell(told_new(l, TOLD_GONE, ns, id));
}

void tell_loop_stop(TellLoop *l) {
  l->stopped = true;
  for (Told *t = l->told; t; t = t->next)
    loop_timer_stop(t->again);
}

void tell_loop_deinit(TellLoop *l) {
  while (l->told)
    told_free(l->told);
}
