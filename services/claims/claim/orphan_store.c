/* See orphan_store.h. One is settled at a time, the oldest first; one that cannot be is tried again later. */
#include "services/claims/claim/orphan_store.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_sandbox.h"

/* What was still on its way to Redis when the connection broke has taken place by then. */
enum { SETTLE_AFTER_MS = 1000 };

typedef struct Orphan {
  struct Orphan *next;
  char ns[STATE_NAME_MAX + 1];
  char pool[STATE_NAME_MAX + 1];
  char uid[33];
  bool batch;
} Orphan;

struct OrphanStore {
  State *state;
  LoopTimer *timer;
  bool settling;
  Orphan *first, **last;
  size_t n;
};

static void settle(OrphanStore *s);

static void on_settled(void *arg, const Error *err) {
  OrphanStore *s = arg;
  s->settling = false;
  if (err) {
    loop_timer_start(s->timer, SETTLE_AFTER_MS);
    return;
  }
  Orphan *orphan = s->first;
  s->first = orphan->next;
  if (!s->first)
    s->last = &s->first;
  s->n--;
  log_event(LOG_INFO, "orphan_settled", LOG_STR("pool", orphan->pool), LOG_STR("uid", orphan->uid));
  free(orphan);
  settle(s);
}

static void on_found(void *arg, const SandboxRecord *record, const Error *err) {
  OrphanStore *s = arg;
  const Orphan *orphan = s->first;
  if (record)
    state_release(s->state, record->ns, record->id, orphan->uid, "CallerGone", on_settled, s);
  else
    on_settled(s, err->kind == ERROR_NOT_FOUND ? NULL : err);
}

static void on_left(void *arg, const Error *err) {
  OrphanStore *s = arg;
  if (err)
    on_settled(s, err);
  else
    state_confirm(s->state, s->first->ns, s->first->pool, s->first->uid, on_found, s);
}

static void settle(OrphanStore *s) {
  if (!s->first || s->settling)
    return;
  s->settling = true;
  const Orphan *orphan = s->first;
  if (orphan->batch)
    state_batch_leave(s->state, orphan->ns, orphan->pool, orphan->uid, true, on_settled, s);
  else
    state_cancel_wait(s->state, orphan->ns, orphan->pool, orphan->uid, on_left, s);
}

static void on_timer(void *arg) {
  settle(arg);
}

static void add(OrphanStore *s, const char *ns, const char *pool, const char *uid, bool batch) {
  if (s->n == ORPHAN_STORE_MAX) {
    log_event(LOG_ERROR, "orphan_dropped", LOG_STR("pool", pool), LOG_STR("uid", uid));
    return;
  }
  Orphan *orphan = new0(Orphan);
  snprintf(orphan->ns, sizeof orphan->ns, "%s", ns);
  snprintf(orphan->pool, sizeof orphan->pool, "%s", pool);
  snprintf(orphan->uid, sizeof orphan->uid, "%s", uid);
  orphan->batch = batch;
  *s->last = orphan;
  s->last = &orphan->next;
  s->n++;
  loop_timer_start(s->timer, SETTLE_AFTER_MS);
}

void orphan_store_add(OrphanStore *s, const char *ns, const char *pool, const char *uid) {
  add(s, ns, pool, uid, false);
}

void orphan_store_add_batch(OrphanStore *s, const char *ns, const char *pool, const char *token) {
  add(s, ns, pool, token, true);
}

OrphanStore *orphan_store_new(Loop *loop, State *state) {
  OrphanStore *s = new0(OrphanStore);
  s->state = state;
  s->last = &s->first;
  s->timer = loop_timer_new(loop, on_timer, s);
  return s;
}

void orphan_store_free(OrphanStore *s) {
  if (!s)
    return;
  loop_timer_free(s->timer);
  while (s->first) {
    Orphan *next = s->first->next;
    free(s->first);
    s->first = next;
  }
  free(s);
}
