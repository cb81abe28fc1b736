/* See sandbox_store.h. */
#include "services/router/sandbox_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/state/state_address.h"
#include "lib/state/state_sandbox.h"

/* How long the reconciler may take to notice that a sandbox ended and to write down why. */
#define END_WAIT_MS 2000
#define END_POLL_MS 50
/* What a client should wait before it tries again: longer than END_POLL_MS, shorter than a person notices. */
#define RETRY_AFTER_MS 200

#define NOT_CLAIMED " is not claimed"

struct SandboxLookup {
  State *state;
  LoopTimer *timer;
  char *ns, *id;
  TargetPass pass;
  char *uid; /* NULL: an ordinary lookup */
  int64_t until_ms;
  SandboxLookupFn fn; /* NULL: cancelled */
  void *arg;
  bool reading;
};

static void lookup_free(SandboxLookup *l) {
  loop_timer_free(l->timer);
  free(l->ns);
  free(l->id);
  free(l->uid);
  free(l);
}

static int no_sandbox(const SandboxLookup *l, Error *err) {
  return error_set(err, ERROR_NOT_FOUND, "sandbox \"%s\" does not exist", l->id);
}

/* Whether the caller may know of it, and then, whether it is the one that the caller may reach. */
static int let_in(const SandboxLookup *l, const SandboxRecord *r, Error *err) {
  if (*l->pass.owner && !str_equal(l->pass.owner, r->tenant))
    return no_sandbox(l, err);
  if (*l->pass.uid && !str_equal(l->pass.uid, r->uid))
    return error_set(err, ERROR_PERMISSION_DENIED, "the token is for another sandbox of this name");
  return 0;
}

static void answer(SandboxLookup *l, const SandboxRecord *record, const Error *err) {
  SandboxLookupFn fn = l->fn;
  l->fn = NULL;
  if (fn)
    fn(l->arg, record, err);
  lookup_free(l);
}

static const char *why(const SandboxRecord *r) {
  return str_empty(r->reason) ? "Unknown" : r->reason;
}

/* 0 when it is claimed. */
static int judge(const SandboxRecord *r, Error *err) {
  const char *colon = str_empty(r->message) ? "" : ": ";
  switch (r->state) {
  case SANDBOX_CLAIMED:
    if (!r->pending)
      return 0;
    break;
  case SANDBOX_FAILED:
    return error_set(err, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" has ended: %s%s%s", r->id, why(r), colon,
                     r->message);
  case SANDBOX_RELEASING:
    return error_set(err, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is being destroyed: %s", r->id, why(r));
  default:
    break;
  }
  return error_set(err, ERROR_FAILED_PRECONDITION, "sandbox \"%s\"" NOT_CLAIMED, r->id);
}

bool sandbox_is_unclaimed(const Error *err) {
  size_t len = strlen(err->message), tail = strlen(NOT_CLAIMED);
  return len > tail && str_equal(err->message + len - tail, NOT_CLAIMED);
}

static void read_record(SandboxLookup *l);

/* Whether the state still says that the claim runs; otherwise err says what became of it. */
static bool still_runs(const SandboxLookup *l, const SandboxRecord *r, Error *err) {
  Error verdict;
  if (!r) {
    error_set(err, ERROR_UNAVAILABLE, "sandbox \"%s\" has been destroyed", l->id);
  } else if (judge(r, &verdict) != 0) {
    error_set(err, ERROR_UNAVAILABLE, "%s", verdict.message);
  } else if (!str_equal(r->uid, l->uid)) {
    error_set(err, ERROR_UNAVAILABLE, "sandbox \"%s\" has been destroyed", l->id);
  } else {
    error_set(err, ERROR_UNAVAILABLE, "sandbox \"%s\" does not answer", l->id);
    err->retry_after_ms = RETRY_AFTER_MS;
    return true;
  }
  return false;
}

/* A Sandbox object without a record: nobody claims it through us, and who may reach it is the API server's matter. */
static void on_address(void *arg, const char *route, const Error *err) {
  SandboxLookup *l = arg;
  l->reading = false;
  if (!l->fn)
    return lookup_free(l);
  Error own;
  if (err && err->kind == ERROR_NOT_FOUND)
    no_sandbox(l, &own);
  else if (err)
    own = *err;
  const SandboxRecord record = {
      .ns = l->ns, .id = l->id, .state = SANDBOX_CLAIMED, .uid = "", .route = route, .tenant = STATE_KUBERNETES_TENANT};
  bool ok = !err && let_in(l, &record, &own) == 0;
  answer(l, ok ? &record : NULL, ok ? NULL : &own);
}

static void read_address(SandboxLookup *l) {
  l->reading = true;
  state_address_get(l->state, l->ns, l->id, on_address, l);
}

static void on_record(void *arg, const SandboxRecord *r, const Error *err) {
  SandboxLookup *l = arg;
  Error own;
  l->reading = false;
  if (!l->fn) {
    lookup_free(l);
  } else if (l->uid) {
    bool unknown = err && err->kind != ERROR_NOT_FOUND;
    bool runs = unknown || still_runs(l, err ? NULL : r, &own);
    if (unknown)
      error_set(&own, ERROR_UNAVAILABLE, "sandbox \"%s\" does not answer", l->id);
    if (runs && clock_mono_ms() < l->until_ms)
      loop_timer_start(l->timer, END_POLL_MS);
    else
      answer(l, NULL, &own);
  } else if (err && err->kind == ERROR_NOT_FOUND) {
    read_address(l);
  } else if (err) {
    own = *err;
    answer(l, NULL, &own);
  } else {
    /* whose it is comes first: to all others it says nothing of itself */
    int rc = let_in(l, r, &own) == 0 ? judge(r, &own) : -1;
    answer(l, rc == 0 ? r : NULL, rc == 0 ? NULL : &own);
  }
}

static void read_record(SandboxLookup *l) {
  l->reading = true;
  state_get(l->state, l->ns, l->id, on_record, l);
}

static void on_timer(void *arg) {
  read_record(arg);
}

static SandboxLookup *lookup_new(State *state, Loop *loop, const char *ns, const char *id, const TargetPass *pass,
                                 SandboxLookupFn fn, void *arg) {
  SandboxLookup *l = new0(SandboxLookup);
  *l = (SandboxLookup){.state = state, .ns = str_dup(ns), .id = str_dup(id), .pass = *pass, .fn = fn, .arg = arg};
  l->timer = loop_timer_new(loop, on_timer, l);
  return l;
}

SandboxLookup *sandbox_lookup(State *state, Loop *loop, const char *ns, const char *id, const TargetPass *pass,
                              SandboxLookupFn fn, void *arg) {
  SandboxLookup *l = lookup_new(state, loop, ns, id, pass, fn, arg);
  /* a name of another shape has no record, and is found by its address */
  read_record(l);
  return l;
}

SandboxLookup *sandbox_lookup_end(State *state, Loop *loop, const char *ns, const char *id, const char *uid,
                                  SandboxLookupFn fn, void *arg) {
  SandboxLookup *l = lookup_new(state, loop, ns, id, &(TargetPass){0}, fn, arg);
  l->uid = str_dup(uid);
  l->until_ms = clock_mono_ms() + END_WAIT_MS;
  read_record(l);
  return l;
}

void sandbox_lookup_cancel(SandboxLookup *l) {
  if (!l)
    return;
  l->fn = NULL;
  if (!l->reading)
    lookup_free(l);
}

/* ---- Activity ---- */

/* A note a second is as exact as idle timeouts are. */
#define MIN_TOUCH_MS 1000
/* A call in progress is noted a few times within the timeout, so that one lost note does no harm. */
#define TOUCHES_PER_TIMEOUT 4

struct Activity {
  State *state;
  LoopTimer *timer; /* NULL: only when noted */
  char ns[STATE_NAME_MAX + 1], id[STATE_NAME_MAX + 1];
  char *uid;
  int64_t last_ms, every_ms;
};

static void touch(Activity *a, int64_t now_ms) {
  a->last_ms = now_ms;
  state_touch(a->state, a->ns, a->id, a->uid, NULL, NULL);
}

static void on_touch(void *arg) {
  Activity *a = arg;
  touch(a, clock_wall_ms());
  loop_timer_start(a->timer, a->every_ms);
}

Activity *activity_start(State *state, Loop *loop, const SandboxRecord *r, bool steady, int64_t now_ms) {
  if (r->idle_timeout_ms <= 0)
    return NULL;
  Activity *a = new0(Activity);
  a->state = state;
  snprintf(a->ns, sizeof a->ns, "%s", r->ns);
  snprintf(a->id, sizeof a->id, "%s", r->id);
  a->uid = str_dup(r->uid);
  a->last_ms = r->active_ms;
  a->every_ms = r->idle_timeout_ms / TOUCHES_PER_TIMEOUT;
  if (a->every_ms < MIN_TOUCH_MS)
    a->every_ms = MIN_TOUCH_MS;
  activity_note(a, now_ms);
  if (steady) {
    a->timer = loop_timer_new(loop, on_touch, a);
    loop_timer_start(a->timer, a->every_ms);
  }
  return a;
}

void activity_note(Activity *a, int64_t now_ms) {
  /* a clock that is behind the last note says nothing: note again */
  if (a && (now_ms - a->last_ms >= MIN_TOUCH_MS || now_ms < a->last_ms))
    touch(a, now_ms);
}

void activity_stop(Activity *a, int64_t now_ms) {
  if (!a)
    return;
  activity_note(a, now_ms);
  loop_timer_free(a->timer);
  free(a->uid);
  free(a);
}
