/* See kube_lanes.h. */
#include "lib/kube/kube_lanes.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

typedef struct Lane {
  KubeTurn *first, **end;
} Lane;

enum { WAITED_FOR, PATIENT, REFUSED, N_LANES };

struct KubeLanes {
  const Loop *loop;
  const KubeOptions *options;
  const KubeLaneEvents *events;
  void *arg;
  LoopTimer *start_timer, *patient_timer, *refuse_timer;
  Lane lanes[N_LANES];
  int n_running, n_patient; /* the patient ones among those that run */
  int64_t others_ms;        /* when one that is not patient last began or ended */
  double tokens;
  int64_t tokens_ms;
  bool closed;
};

/* ---- the lanes ---- */

static void append(Lane *lane, KubeTurn *t) {
  t->next = NULL;
  t->at = lane->end;
  *t->at = t;
  lane->end = &t->next;
}

void kube_lanes_leave(KubeLanes *l, KubeTurn *t) {
  if (!t->at)
    return;
  *t->at = t->next;
  if (t->next)
    t->next->at = t->at;
  for (size_t i = 0; i < N_LANES; i++)
    if (l->lanes[i].end == &t->next)
      l->lanes[i].end = t->at;
  t->next = NULL;
  t->at = NULL;
}

KubeTurn *kube_lanes_any(const KubeLanes *l) {
  for (size_t i = 0; i < N_LANES; i++)
    if (l->lanes[i].first)
      return l->lanes[i].first;
  return NULL;
}

/* ---- counting ---- */

static void count(KubeLanes *l, const KubeTurn *t, int by) {
  l->n_running += by;
  if (t->is_patient)
    l->n_patient += by;
  else if (!t->is_urgent)
    l->others_ms = loop_now_ms(l->loop);
}

void kube_lanes_began(KubeLanes *l, const KubeTurn *t) {
  count(l, t, 1);
}
void kube_lanes_ended(KubeLanes *l, const KubeTurn *t) {
  count(l, t, -1);
}

/* Token bucket of options.qps; true when a request may start now. */
static bool take_token(KubeLanes *l) {
  if (l->options->qps <= 0)
    return true;
  int64_t now = loop_now_ms(l->loop);
  l->tokens += (double)(now - l->tokens_ms) * l->options->qps / 1e3;
  l->tokens_ms = now;
  if (l->tokens > l->options->burst)
    l->tokens = l->options->burst;
  if (l->tokens < 1) {
    loop_timer_start(l->start_timer, (int64_t)((1 - l->tokens) / l->options->qps * 1000) + 1);
    return false;
  }
  l->tokens -= 1;
  return true;
}

/* Whether a patient one may start: few beside others, any number when there have been none for a moment. */
static bool may_begin_patient(KubeLanes *l) {
  if (l->n_patient < KUBE_PATIENT_BESIDE)
    return true;
  int64_t left_ms = l->others_ms + KUBE_PATIENT_MS - loop_now_ms(l->loop);
  /* the end of another looks again by itself */
  if (l->n_running > l->n_patient)
    return false;
  if (left_ms > 0)
    loop_timer_start(l->patient_timer, left_ms);
  return left_ms <= 0;
}

/* ---- starting ---- */

/* Not from inside kube_lanes_wait: who asks does not expect an answer there. */
static void on_refuse(void *arg) {
  KubeLanes *l = arg;
  KubeTurn *t;
  while ((t = l->lanes[REFUSED].first)) {
    kube_lanes_leave(l, t);
    l->events->refuse(l->arg, t);
  }
}

static void start_or_refuse(KubeLanes *l, KubeTurn *t) {
  if (!t->is_fenced || !l->options->may_write || l->options->may_write(l->options->arg))
    return l->events->start(l->arg, t);
  append(&l->lanes[REFUSED], t);
  loop_timer_start(l->refuse_timer, 0);
}

void kube_lanes_look(KubeLanes *l) {
  for (int i = WAITED_FOR; i <= PATIENT; i++) {
    KubeTurn *t;
    while (!l->closed && (t = l->lanes[i].first) && l->n_running < l->options->max_in_flight &&
           (i == WAITED_FOR || may_begin_patient(l)) && take_token(l)) {
      kube_lanes_leave(l, t);
      start_or_refuse(l, t);
    }
  }
}

void kube_lanes_wait(KubeLanes *l, KubeTurn *t) {
  append(&l->lanes[t->is_patient ? PATIENT : WAITED_FOR], t);
  kube_lanes_look(l);
}

static void on_start_timer(void *arg) {
  kube_lanes_look(arg);
}

/* ---- life ---- */

KubeLanes *kube_lanes_new(Loop *loop, const KubeOptions *options, const KubeLaneEvents *events, void *arg) {
  KubeLanes *l = new0(KubeLanes);
  *l = (KubeLanes){.loop = loop,
                   .options = options,
                   .events = events,
                   .arg = arg,
                   .tokens = options->burst,
                   .tokens_ms = loop_now_ms(loop)};
  for (size_t i = 0; i < N_LANES; i++)
    l->lanes[i].end = &l->lanes[i].first;
  l->start_timer = loop_timer_new(loop, on_start_timer, l);
  l->patient_timer = loop_timer_new(loop, on_start_timer, l);
  l->refuse_timer = loop_timer_new(loop, on_refuse, l);
  return l;
}

void kube_lanes_close(KubeLanes *l) {
  l->closed = true;
}

void kube_lanes_free(KubeLanes *l) {
  if (!l)
    return;
  loop_timer_free(l->start_timer);
  loop_timer_free(l->patient_timer);
  loop_timer_free(l->refuse_timer);
  free(l);
}
