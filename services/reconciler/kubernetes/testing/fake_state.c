/* See fake_state.h. */
#include "services/reconciler/kubernetes/testing/fake_state.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

enum { ANSWER_MS = 1 };

/* One answer that is on its way: of whichever function was asked. */
typedef struct Answer {
  struct Answer *next;
  FakeState *s;
  LoopTimer *timer;
  void (*give)(struct Answer *a, const Error *err);
  void (*fn)(void);
  void *arg;
  char *id, *uid;
  ClaimOutcome outcome;
} Answer;

static void give(Answer *a, const Error *err) {
  for (Answer **at = &a->s->answers; *at; at = &(*at)->next) {
    if (*at == a) {
      *at = a->next;
      break;
    }
  }
  a->give(a, err);
  loop_timer_free(a->timer);
  free(a->id);
  free(a->uid);
  free(a);
}

static void on_due(void *arg) {
  Answer *a = arg;
  Error err = {0};
  if (a->s->away)
    error_set(&err, ERROR_UNAVAILABLE, "the fake state is away");
  give(a, a->s->away ? &err : NULL);
}

static Answer *answer(State *state, void (*give)(Answer *a, const Error *err), void (*fn)(void), void *arg,
                      const char *id, const char *uid) {
  FakeState *s = (FakeState *)state;
  Answer *a = new0(Answer);
  *a = (Answer){.next = s->answers, .s = s, .give = give, .fn = fn, .arg = arg, .id = str_dup(id), .uid = str_dup(uid)};
  s->answers = a;
  a->timer = loop_timer_new(s->loop, on_due, a);
  loop_timer_start(a->timer, ANSWER_MS);
  return a;
}

static const char *holder_of(const FakeState *s, const char *id) {
  return json_string_value(json_object_get(s->members, id));
}

static void hold(FakeState *s, const char *id, const char *uid) {
  json_object_set_new(s->members, id, json_string(uid));
}

/* ---- claiming ---- */

static const char *take(FakeState *s, const char *uid) {
  const char *id, *free_one = NULL;
  json_t *holder;
  json_object_foreach(s->members, id, holder) {
    if (str_equal(json_string_value(holder), uid))
      return id;
    if (str_empty(json_string_value(holder)))
      free_one = id;
  }
  if (!free_one)
    return NULL;
  s->n_granted++;
  hold(s, free_one, uid);
  return free_one;
}

static void give_claim(Answer *a, const Error *err) {
  const QuotaRefusal refusal = {.limit = "live", .allowed = "1", .used = "1"};
  const SandboxRecord record = {.ns = "ns", .id = a->id, .uid = a->uid, .state = SANDBOX_CLAIMED};
  const ClaimResult r = {.outcome = a->outcome, .record = &record, .refusal = &refusal};
  ((StateClaimFn)a->fn)(a->arg, err ? NULL : &r, err);
}

void state_claim(State *state, const ClaimRequest *request, StateClaimFn fn, void *arg) {
  FakeState *s = (FakeState *)state;
  const char *id = s->away || s->refuses ? NULL : take(s, request->uid);
  Answer *a = answer(state, give_claim, (void (*)(void))fn, arg, id ? id : "", request->uid);
  a->outcome = s->refuses ? CLAIM_REFUSED : id ? CLAIM_GRANTED : CLAIM_EMPTY;
}

static void give_done(Answer *a, const Error *err) {
  ((StateDoneFn)a->fn)(a->arg, err);
}

void state_release(State *state, const char *ns, const char *id, const char *uid, const char *reason, StateDoneFn fn,
                   void *arg) {
  FakeState *s = (FakeState *)state;
  if (!s->away && str_equal(holder_of(s, id), uid)) {
    json_object_del(s->members, id);
    s->n_released++;
  }
  answer(state, give_done, (void (*)(void))fn, arg, id, uid);
}

void state_restore(State *state, const SandboxRecord *held, bool pool_deleted, StateDoneFn fn, void *arg) {
  FakeState *s = (FakeState *)state;
  if (!s->away) {
    hold(s, held->id, held->uid);
    s->n_restored++;
  }
  answer(state, give_done, (void (*)(void))fn, arg, held->id, held->uid);
}

/* ---- reading ---- */

static void give_record(Answer *a, const Error *err) {
  const char *uid = holder_of(a->s, a->id);
  const SandboxRecord record = {
      .ns = "ns", .id = a->id, .uid = uid ? uid : "", .state = str_empty(uid) ? SANDBOX_READY : SANDBOX_CLAIMED};
  Error none = {0};
  error_set(&none, ERROR_NOT_FOUND, "no sandbox %s", a->id);
  ((StateRecordFn)a->fn)(a->arg, err || !uid ? NULL : &record, err ? err : uid ? NULL : &none);
}

void state_get(State *state, const char *ns, const char *id, StateRecordFn fn, void *arg) {
  answer(state, give_record, (void (*)(void))fn, arg, id, "");
}

static void give_pool(Answer *a, const Error *err) {
  const PoolRecord record = {.ns = "ns", .name = a->id};
  ((StatePoolFn)a->fn)(a->arg, err ? NULL : &record, err);
}

void state_pool_get(State *state, const char *ns, const char *name, StatePoolFn fn, void *arg) {
  answer(state, give_pool, (void (*)(void))fn, arg, name, "");
}

/* ---- life ---- */

void fake_state_init(FakeState *s, Loop *loop) {
  *s = (FakeState){.loop = loop, .members = json_object()};
}

void fake_state_deinit(FakeState *s) {
  json_decref(s->members);
}

void fake_state_disconnect(FakeState *s) {
  Error err = {0};
  error_set(&err, ERROR_CANCELLED, "the client is freed");
  while (s->answers) {
    Answer *first = s->answers;
    s->answers = first->next;
    give(first, &err);
  }
}

State *fake_state_of(FakeState *s) {
  return (State *)s;
}
