/* See watch_feed.h.
 *
 * Work is done in units, each on one pool: begin (note the end, list), catch up (read the history since the
 * token, list silently to learn what is seen, tell), follow (read the history, tell). A unit that fails
 * because the state is away is begun again later: positions move only when something has been told.
 */
#include "services/claims/watch/watch_feed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_events.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

enum {
  LIST_STEP = 100,
  /* Sandboxes read before looking again whether the watcher is full. */
  TELL_STEP = 32,
};

/* A sandbox that changed. */
typedef struct Change {
  char id[STATE_NAME_MAX + 1];
  char uid[33];
  char stream_id[RESUME_STREAM_ID_SIZE];
} Change;

typedef struct Tell {
  WatchFeed *feed;
  size_t at; /* in changes */
} Tell;

struct WatchFeed {
  State *state;
  const WatchFilter *filter;
  const WatchFeedHandlers *handlers;
  void *arg;
  bool resumed;
  bool named; /* the pools there are were read */
  bool synced;
  bool busy, ended, resting;
  Resume position;
  WatchPools pools;
  /* The unit under way. */
  void (*step)(WatchFeed *feed);
  WatchPool *pool;
  bool catching_up;
  char read_after[RESUME_STREAM_ID_SIZE];
  char list_after[STATE_NAME_MAX + 1];
  Change *changes;
  size_t n_changes, at_change;
  Tell tells[TELL_STEP];
  size_t n_tells;
  Error tell_error;
};

static void pump(WatchFeed *f);

static void feed_free(WatchFeed *f) {
  watch_pools_deinit(&f->pools);
  free(f->changes);
  resume_deinit(&f->position);
  free(f);
}

/* First thing when answers of the state are in: false when the feed is no more. */
static bool answered(WatchFeed *f) {
  f->busy = false;
  if (!f->ended)
    return true;
  feed_free(f);
  return false;
}

static void fail(WatchFeed *f, ErrorKind kind, const char *message) {
  Error err;
  error_set(&err, kind, "%s", message);
  f->handlers->failed(f->arg, &err);
}

/* The unit is given up; it is begun again when the state is back. */
static void give_up(WatchFeed *f, const Error *err) {
  f->step = NULL;
  f->n_changes = 0;
  if (f->pool)
    f->pool->dirty = true;
  if (err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_CANCELLED)
    f->resting = true;
  else
    f->handlers->failed(f->arg, err);
}

/* The same, and false when the unit is given up. */
static bool arrived(WatchFeed *f, const Error *err) {
  if (!answered(f))
    return false;
  if (err)
    give_up(f, err);
  return !err;
}

static void go_on(WatchFeed *f, void (*step)(WatchFeed *f)) {
  f->step = step;
  pump(f);
}

static void remove_pool(WatchFeed *f, WatchPool *pool) {
  resume_remove(&f->position, pool->key);
  watch_pools_remove(&f->pools, pool);
}

/* ---- telling ---- */

static bool move_to(WatchFeed *f, const char *stream_id) {
  if (resume_set(&f->position, f->pool->key, stream_id) == 0)
    return true;
  fail(f, ERROR_RESOURCE_EXHAUSTED, "the watch spans too many pools; watch one namespace or one pool");
  return false;
}

static void tell(WatchFeed *f, WatchChange change, const char *id, const char *uid, const SandboxRecord *record) {
  if (change == WATCH_NOTHING)
    return;
  WatchEvent event = {.change = change, .ns = f->pool->ns, .pool = f->pool->name, .id = id, .uid = uid};
  if (change != WATCH_DELETED)
    event.record = record;
  f->handlers->event(f->arg, &event);
}

static void tell_change(WatchFeed *f, const Change *change, const SandboxRecord *record) {
  WatchSet *seen = &f->pool->seen;
  const char *saw = watch_set_get(seen, change->id);
  bool sees = watch_sees(f->filter, record);
  WatchChange what = f->catching_up ? watch_change_resumed(f->filter, record, change->uid, f->pool->token_ms)
                                    : watch_change(saw != NULL, sees);
  if (!move_to(f, change->stream_id))
    return;
  tell(f, what, change->id, saw && *saw ? saw : change->uid, record);
  if (sees)
    watch_set_put(seen, change->id, record->uid);
  else
    watch_set_remove(seen, change->id);
}

static void tell_step(WatchFeed *f);

/* One of the answers of a step is in. */
static void told(WatchFeed *f) {
  if (--f->n_tells > 0 || !answered(f))
    return;
  if (f->tell_error.kind != ERROR_NONE)
    give_up(f, &f->tell_error);
  else
    go_on(f, tell_step);
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  Tell *t = arg;
  WatchFeed *f = t->feed;
  if (!f->ended && f->tell_error.kind == ERROR_NONE) {
    if (err && err->kind != ERROR_NOT_FOUND)
      f->tell_error = *err;
    else
      tell_change(f, &f->changes[t->at], record);
  }
  told(f);
}

/* All are asked for at once; the state answers in order. */
static void tell_step(WatchFeed *f) {
  if (f->at_change == f->n_changes) {
    f->pool->phase = WATCH_POOL_FOLLOWED;
    pump(f);
    return;
  }
  size_t n = f->n_changes - f->at_change;
  if (n > TELL_STEP)
    n = TELL_STEP;
  size_t first = f->at_change;
  f->at_change += n;
  f->busy = true;
  f->tell_error = (Error){0};
  f->n_tells = n + 1; /* one for this function: an answer may come before the next question is asked */
  for (size_t i = 0; i < n; i++) {
    f->tells[i] = (Tell){f, first + i};
    state_get(f->state, f->pool->ns, f->changes[first + i].id, on_record, &f->tells[i]);
  }
  told(f);
}

/* ---- reading the history ---- */

static void list_step(WatchFeed *f);
static void history_step(WatchFeed *f);

/* A later change of the same sandbox says all that an earlier one does. */
static void note_change(WatchFeed *f, const StateEvent *event) {
  size_t kept = 0;
  for (size_t i = 0; i < f->n_changes; i++)
    if (!str_equal(f->changes[i].id, event->id))
      f->changes[kept++] = f->changes[i];
  f->n_changes = kept;
  f->changes = xreallocarray(f->changes, f->n_changes + 1, sizeof *f->changes);
  Change *change = &f->changes[f->n_changes++];
  snprintf(change->id, sizeof change->id, "%s", event->id);
  snprintf(change->uid, sizeof change->uid, "%s", event->uid ? event->uid : "");
  snprintf(change->stream_id, sizeof change->stream_id, "%s", event->stream_id);
}

static void on_history(void *arg, const StateEvents *events, const Error *err) {
  WatchFeed *f = arg;
  if (!arrived(f, err))
    return;
  if (events->trimmed) {
    fail(f, ERROR_OUT_OF_RANGE, "the history since the resume token is no longer retained; start without one");
    return;
  }
  for (size_t i = 0; i < events->n_events; i++)
    note_change(f, &events->events[i]);
  if (events->n_events > 0) {
    snprintf(f->read_after, sizeof f->read_after, "%s", events->events[events->n_events - 1].stream_id);
    f->pool->dirty = true; /* there may be more */
  }
  if (!f->catching_up)
    go_on(f, tell_step);
  else
    go_on(f, events->n_events > 0 ? history_step : list_step);
}

static void history_step(WatchFeed *f) {
  f->busy = true;
  state_events(f->state, f->pool->ns, f->pool->name, f->read_after, on_history, f);
}

/* ---- listing ---- */

static void on_list(void *arg, const SandboxPage *page, const Error *err) {
  WatchFeed *f = arg;
  if (!arrived(f, err))
    return;
  for (size_t i = 0; i < page->n_records; i++) {
    const SandboxRecord *record = &page->records[i];
    if (!watch_sees(f->filter, record))
      continue;
    bool saw = watch_set_get(&f->pool->seen, record->id) != NULL;
    watch_set_put(&f->pool->seen, record->id, record->uid);
    if (!f->catching_up)
      tell(f, watch_change(saw, true), record->id, record->uid, record);
  }
  if (page->next) {
    snprintf(f->list_after, sizeof f->list_after, "%s", page->next);
    go_on(f, list_step);
  } else if (f->catching_up) {
    go_on(f, tell_step);
  } else if (move_to(f, f->pool->noted)) {
    f->pool->phase = WATCH_POOL_FOLLOWED;
    f->pool->dirty = true;
    pump(f);
  }
}

static void list_step(WatchFeed *f) {
  f->busy = true;
  state_list(f->state, f->pool->ns, f->pool->name, f->list_after, LIST_STEP, on_list, f);
}

static void on_end_noted(void *arg, const StateEvents *events, const Error *err) {
  WatchFeed *f = arg;
  if (!arrived(f, err))
    return;
  snprintf(f->pool->noted, sizeof f->pool->noted, "%s", events->last_id);
  go_on(f, list_step);
}

/* ---- choosing what to do ---- */

static void begin_pool(WatchFeed *f) {
  const char *from = resume_get(&f->position, f->pool->key);
  f->list_after[0] = '\0';
  f->n_changes = f->at_change = 0;
  f->catching_up = from != NULL;
  if (from) {
    snprintf(f->read_after, sizeof f->read_after, "%s", from);
    if (!f->pool->token_ms)
      f->pool->token_ms = resume_ms(from);
    history_step(f);
  } else if (f->pool->noted[0]) {
    list_step(f);
  } else {
    f->busy = true;
    state_events(f->state, f->pool->ns, f->pool->name, "$", on_end_noted, f);
  }
}

static void follow_pool(WatchFeed *f) {
  f->pool->dirty = false;
  f->catching_up = false;
  f->n_changes = f->at_change = 0;
  snprintf(f->read_after, sizeof f->read_after, "%s", resume_get(&f->position, f->pool->key));
  history_step(f);
}

static void tell_gone(void *arg, const char *id, const char *uid) {
  tell(arg, WATCH_DELETED, id, uid, NULL);
}

static void end_pool(WatchFeed *f) {
  watch_set_each(&f->pool->seen, tell_gone, f);
  remove_pool(f, f->pool);
  f->pool = NULL;
  pump(f);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  WatchFeed *f = arg;
  if (!arrived(f, err))
    return;
  f->named = true;
  /* Those of the token that are not listed have gone meanwhile. */
  for (size_t i = 0; i < f->position.n_entries; i++) {
    WatchPool *pool = watch_pools_add_key(&f->pools, f->position.entries[i].pool);
    if (pool)
      pool->gone = true;
  }
  for (size_t i = 0; i < names->n_names; i++) {
    WatchPool *pool = watch_pools_add_key(&f->pools, names->names[i]);
    if (pool)
      pool->gone = false;
  }
  pump(f);
}

static void read_names(WatchFeed *f) {
  f->busy = true;
  state_pool_names(f->state, f->pools.scope.ns, "", 0, on_names, f);
}

static WatchPool *next_pool(const WatchFeed *f) {
  for (size_t i = 0; i < f->pools.n; i++)
    if (f->pools.items[i]->phase == WATCH_POOL_NEW)
      return f->pools.items[i];
  for (size_t i = 0; i < f->pools.n; i++)
    if (f->pools.items[i]->dirty || f->pools.items[i]->gone)
      return f->pools.items[i];
  return NULL;
}

static void pump(WatchFeed *f) {
  if (f->busy || f->resting || f->handlers->full(f->arg))
    return;
  if (f->step) {
    void (*step)(WatchFeed *) = f->step;
    f->step = NULL;
    step(f);
    return;
  }
  if (!f->named) {
    read_names(f);
    return;
  }
  f->pool = next_pool(f);
  if (f->pool && f->pool->phase == WATCH_POOL_NEW) {
    begin_pool(f);
    return;
  }
  if (!f->synced) {
    f->synced = true;
    if (!f->resumed)
      f->handlers->synced(f->arg);
  }
  if (!f->pool)
    return;
  if (f->pool->dirty)
    follow_pool(f);
  else
    end_pool(f);
}

void watch_feed_pump(WatchFeed *f) {
  pump(f);
}

/* NULL: not one that is watched. */
static WatchPool *named_pool(WatchFeed *f, const char *ns, const char *name) {
  return f->named ? watch_pools_add(&f->pools, ns, name) : NULL;
}

static void look_at(WatchFeed *f, const WatchPool *pool) {
  if (pool)
    pump(f);
}

void watch_feed_changed(WatchFeed *f, const char *ns, const char *name) {
  if (!ns) {
    f->resting = false;
    for (size_t i = 0; i < f->pools.n; i++)
      f->pools.items[i]->dirty = true;
    pump(f);
    return;
  }
  WatchPool *pool = named_pool(f, ns, name);
  if (pool)
    pool->dirty = true;
  look_at(f, pool);
}

void watch_feed_found(WatchFeed *f, const char *ns, const char *name) {
  WatchPool *pool = named_pool(f, ns, name);
  if (pool)
    pool->gone = false;
  look_at(f, pool);
}

void watch_feed_gone(WatchFeed *f, const char *ns, const char *name) {
  WatchPool *pool = watch_pools_find(&f->pools, ns, name);
  if (pool)
    pool->dirty = pool->gone = true;
  look_at(f, pool);
}

const Resume *watch_feed_position(const WatchFeed *f) {
  return &f->position;
}

WatchFeed *watch_feed_new(State *state, const WatchScope *scope, const WatchFilter *filter, bool resumed, Resume *from,
                          const WatchFeedHandlers *handlers, void *arg) {
  WatchFeed *f = new0(WatchFeed);
  f->state = state;
  f->pools.scope = *scope;
  f->filter = filter;
  f->resumed = resumed;
  f->position = *from;
  *from = (Resume){0};
  f->handlers = handlers;
  f->arg = arg;
  return f;
}

void watch_feed_free(WatchFeed *f) {
  if (!f)
    return;
  if (f->busy)
    f->ended = true;
  else
    feed_free(f);
}
