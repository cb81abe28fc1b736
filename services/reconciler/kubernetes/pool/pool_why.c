/* See pool_why.h. */
#include "services/reconciler/kubernetes/pool/pool_why.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_pool.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define MANAGER "sandboxwarmpool-controller"
/* Reasons that take turns (an image is pulled, and its puller rests) are told once. */
#define TELL_ANOTHER_MS 60000
/* Events are kept for an hour, and often for less. */
#define TELL_AGAIN_MS 600000

void pool_why_init(PoolWhy *w, Cluster *c) {
  *w = (PoolWhy){.c = c, .told = json_object()};
}

void pool_why_deinit(PoolWhy *w) {
  json_decref(w->told);
}

static void on_said(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "pool_reason_not_set", LOG_ERR(err));
}

/* Set by the pools service, and taken away by it. */
static bool is_of_pools(const char *reason) {
  static const char *const REASONS[] = {"TemplateNotFound", "TemplateRefused", "ReconcilerUnavailable"};
  for (size_t i = 0; i < ARRAY_LEN(REASONS); i++)
    if (str_equal(reason, REASONS[i]))
      return true;
  return false;
}

static bool is_of_starts(const PoolRecord *r) {
  return r->n_failures > 0 || r->n_early > 0;
}

void pool_why_of_record(const PoolRecord *r, MemberTrouble *trouble) {
  if (str_empty(r->reason) || !(is_of_starts(r) || is_of_pools(r->reason)))
    return;
  snprintf(trouble->reason, sizeof trouble->reason, "%s", r->reason);
  const char *early =
      r->n_early > 0 ? "; sandboxes end soon after they are ready, and are made anew after a pause" : "";
  snprintf(trouble->message, sizeof trouble->message, "%s%s", r->message, early);
  if (!str_is_utf8(trouble->message, strlen(trouble->message)))
    snprintf(trouble->message, sizeof trouble->message, "see the log of the reconciler");
}

void pool_why_to_state(PoolWhy *w, const PoolRecord *r, const MemberTrouble *trouble) {
  bool is_said = str_equal(r->reason, trouble->reason) && str_starts_with(trouble->message, r->message);
  bool is_others = !*trouble->reason && (is_of_starts(r) || is_of_pools(r->reason));
  if (is_said || is_others)
    return;
  log_event(*trouble->reason ? LOG_WARN : LOG_INFO, *trouble->reason ? "pool_not_full" : "pool_recovered",
            LOG_STR("namespace", r->ns), LOG_STR("pool", r->name), LOG_STR("reason", trouble->reason),
            LOG_STR("message", trouble->message));
  state_pool_set_reason(w->c->state, r->ns, r->name, trouble->reason, trouble->message, on_said, NULL);
}

static void tell(PoolWhy *w, const json_t *pool, bool warning, const char *reason, const char *note) {
  event_record(w->c, &(EventNote){.about = pool,
                                  .api_version = EXTENSIONS_V1BETA1,
                                  .kind = KIND_POOL,
                                  .warning = warning,
                                  .reason = reason,
                                  .action = "Reconciling",
                                  .note = note,
                                  .controller = MANAGER});
}

void pool_why_event(PoolWhy *w, const json_t *pool, bool is_full, const MemberTrouble *trouble) {
  const char *uid = kube_uid(pool);
  const json_t *told = json_object_get(w->told, uid);
  int64_t now_ms = clock_wall_ms(), ago_ms = now_ms - kube_int(told, "at", 0);
  if (is_full) {
    if (told)
      tell(w, pool, false, "WarmPoolFull", "all sandboxes of the pool are ready");
    json_object_del(w->told, uid);
    return;
  }
  bool is_same = str_equal(kube_text(told, "reason"), trouble->reason);
  if (!*trouble->reason || (told && ago_ms < (is_same ? TELL_AGAIN_MS : TELL_ANOTHER_MS)))
    return;
  CLEANUP(str_freep) char *note = str_printf("%s: %s", trouble->reason, trouble->message);
  tell(w, pool, true, "WarmPoolNotFull", note);
  json_object_set_new(w->told, uid, json_pack("{s:s,s:I}", "reason", trouble->reason, "at", (json_int_t)now_ms));
}

void pool_why_condition(PoolWhy *w, const json_t *pool, json_t *status, bool is_full, const MemberTrouble *trouble) {
  if (w->no_conditions)
    return;
  char now[21];
  kube_format_time(clock_wall_ms(), now);
  const json_t *old = kube_get(pool, "status.conditions");
  json_t *conditions = old ? json_deep_copy(old) : json_array();
  bool has_trouble = !is_full && *trouble->reason;
  const KubeCondition ready = {.type = "Ready",
                               .status = is_full ? "True" : "False",
                               .reason = is_full       ? "Full"
                                         : has_trouble ? trouble->reason
                                                       : "Filling",
                               .message = is_full       ? "all sandboxes of the pool are ready"
                                          : has_trouble ? trouble->message
                                                        : "sandboxes of the pool are being made",
                               .observed_generation = kube_int(pool, "metadata.generation", 0)};
  kube_condition_set(conditions, &ready, now);
  json_object_set_new(status, "conditions", conditions);
}

void pool_why_written(PoolWhy *w, const json_t *pool) {
  /* of a definition without it (another installation's) the API server drops it, and would do so each time */
  if (pool && kube_get(pool, "status") && !kube_get(pool, "status.conditions"))
    w->no_conditions = true;
}

void pool_why_forget(PoolWhy *w, const json_t *pool) {
  json_object_del(w->told, kube_uid(pool));
}
