/* See kube_queue.h. */
#include "lib/kube/kube_queue.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

struct KubeTask {
  KubeTask *next;
  KubeQueue *queue;
  LoopTimer *timer;
  char *key;
  const char *name; /* in key, behind the slash */
  int64_t backoff_ms, due_ms;
  bool queued, running, again, held;
};

struct KubeQueue {
  Loop *loop;
  void (*work)(void *arg, KubeTask *task, const char *ns, const char *name);
  void *arg;
  void *root; /* tree of tasks by key */
  KubeTask *first, **end;
  LoopTimer *turn;
  size_t n_queued, n_running;
  int concurrency;
  bool paused;
};

static int compare(const void *a, const void *b) {
  return strcmp(((const KubeTask *)a)->key, ((const KubeTask *)b)->key);
}

static void task_free(void *arg) {
  KubeTask *t = arg;
  loop_timer_free(t->timer);
  free(t->key);
  free(t);
}

/* Nothing is left to remember of it. */
static void forget_if_idle(KubeTask *t) {
  if (t->queued || t->running || t->held || t->due_ms || t->backoff_ms)
    return;
  tdelete(t, &t->queue->root, compare);
  task_free(t);
}

/* Only what waits now: passes may end at once and add others, and these must not keep the loop from all else. */
static void on_turn(void *arg) {
  KubeQueue *q = arg;
  for (size_t left = q->n_queued; left > 0 && q->first && !q->paused && (int)q->n_running < q->concurrency; left--) {
    KubeTask *t = q->first;
    q->first = t->next;
    if (!q->first)
      q->end = &q->first;
    q->n_queued--;
    t->queued = false;
    if (t->held)
      continue;
    q->n_running++;
    t->running = true;
    char ns[256];
    snprintf(ns, sizeof ns, "%.*s", (int)(t->name - t->key - 1), t->key);
    q->work(q->arg, t, ns, t->name);
  }
}

static void enqueue(KubeTask *t) {
  KubeQueue *q = t->queue;
  if (t->running) {
    t->again = true;
    return;
  }
  if (t->queued)
    return;
  loop_timer_stop(t->timer);
  t->due_ms = 0;
  t->queued = true;
  t->next = NULL;
  *q->end = t;
  q->end = &t->next;
  q->n_queued++;
  loop_timer_start(q->turn, 0);
}

static void on_due(void *arg) {
  KubeTask *t = arg;
  t->due_ms = 0;
  enqueue(t);
}

static KubeTask *task_of(KubeQueue *q, const char *ns, const char *name) {
  char text[600];
  snprintf(text, sizeof text, "%s/%s", ns ? ns : "", name);
  KubeTask key = {.key = text};
  KubeTask **found = tfind(&key, &q->root, compare);
  if (found)
    return *found;
  KubeTask *t = new0(KubeTask);
  *t = (KubeTask){.queue = q, .key = str_dup(text)};
  t->name = strchr(t->key, '/') + 1;
  t->timer = loop_timer_new(q->loop, on_due, t);
  if (!tsearch(t, &q->root, compare))
    abort();
  return t;
}

static void start_timer(KubeTask *t, int64_t ms) {
  int64_t due = loop_now_ms(t->queue->loop) + ms;
  if (t->queued || (t->due_ms && t->due_ms <= due))
    return;
  t->due_ms = due;
  loop_timer_start(t->timer, ms);
}

void kube_queue_add(KubeQueue *q, const char *ns, const char *name) {
  enqueue(task_of(q, ns, name));
}

void kube_queue_hold(KubeQueue *q, const char *ns, const char *name, bool held) {
  KubeTask *t = task_of(q, ns, name);
  bool was_held = t->held;
  t->held = held;
  if (was_held && !held)
    enqueue(t);
  else
    forget_if_idle(t);
}

void kube_queue_add_after(KubeQueue *q, const char *ns, const char *name, int64_t ms) {
  start_timer(task_of(q, ns, name), ms > 0 ? ms : 0);
}

static void end_pass(KubeTask *t) {
  KubeQueue *q = t->queue;
  t->running = false;
  q->n_running--;
  if (q->first)
    loop_timer_start(q->turn, 0);
  if (!t->again)
    return;
  t->again = false;
  enqueue(t);
}

void kube_task_done(KubeTask *t) {
  t->backoff_ms = 0;
  end_pass(t);
  forget_if_idle(t);
}

void kube_task_done_again(KubeTask *t, int64_t ms) {
  t->backoff_ms = 0;
  end_pass(t);
  start_timer(t, ms > 0 ? ms : 0);
}

void kube_task_failed(KubeTask *t, int64_t at_least_ms) {
  t->backoff_ms = t->backoff_ms ? t->backoff_ms * 2 : KUBE_BACKOFF_MIN_MS;
  if (t->backoff_ms > KUBE_BACKOFF_MAX_MS)
    t->backoff_ms = KUBE_BACKOFF_MAX_MS;
  t->again = false; /* the pause holds whatever else happened meanwhile; a change after this ends it */
  end_pass(t);
  start_timer(t, t->backoff_ms > at_least_ms ? t->backoff_ms : at_least_ms);
}

void kube_queue_pause(KubeQueue *q, bool paused) {
  q->paused = paused;
  loop_timer_start(q->turn, 0);
}

size_t kube_queue_length(const KubeQueue *q) {
  return q->n_queued;
}
size_t kube_queue_running(const KubeQueue *q) {
  return q->n_running;
}

KubeQueue *kube_queue_new(Loop *loop, int concurrency,
                          void (*work)(void *arg, KubeTask *task, const char *ns, const char *name), void *arg) {
  KubeQueue *q = new0(KubeQueue);
  *q = (KubeQueue){.loop = loop, .work = work, .arg = arg, .concurrency = concurrency};
  q->end = &q->first;
  q->turn = loop_timer_new(loop, on_turn, q);
  return q;
}

void kube_queue_free(KubeQueue *q) {
  if (!q)
    return;
  loop_timer_free(q->turn);
  tdestroy(q->root, task_free);
  free(q);
}
