/* See expire_loop.h. */
#include "services/claims/claim/expire_loop.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/claims_metrics.h"

/* Activity moves the end of an idle sandbox without a sign, so no pool rests longer than this. */
enum { LOOK_AT_LEAST_MS = 5000 };

/* The first member is the key. */
typedef struct Watched {
  char key[2 * (STATE_NAME_MAX + 1)]; /* "namespace/pool" */
  ExpireLoop *loop;
  LoopTimer *timer;
  int64_t due_ms;               /* monotonic, when the timer fires */
  int64_t n_waiting, oldest_ms; /* of its queue, as of looked_ms (monotonic) */
  int64_t looked_ms;
  bool looking;
  bool gone; /* dropped while a look is under way */
} Watched;

struct ExpireLoop {
  Claims *claims;
  void *root; /* tsearch(3) */
};

static int compare(const void *a, const void *b) {
  return strcmp(a, b);
}

static void watched_free(void *arg) {
  Watched *w = arg;
  loop_timer_free(w->timer);
  free(w);
}

static void schedule(Watched *w, int64_t delay_ms) {
  if (delay_ms < 0)
    delay_ms = 0;
  w->due_ms = loop_now_ms(w->loop->claims->service->loop) + delay_ms;
  loop_timer_start(w->timer, delay_ms);
}

static void on_expired(void *arg, const StateExpired *e, const Error *err) {
  Watched *w = arg;
  w->looking = false;
  if (w->gone) {
    watched_free(w);
    return;
  }
  if (err) {
    schedule(w, LOOK_AT_LEAST_MS);
    return;
  }
  w->n_waiting = e->n_waiting;
  w->oldest_ms = e->oldest_ms;
  w->looked_ms = loop_now_ms(w->loop->claims->service->loop);
  if (e->n_ended > 0) {
    metrics_add(w->loop->claims->service->metrics, CLAIMS_METRIC_ENDED, e->n_ended, NULL, NULL, NULL);
    log_event(LOG_INFO, "claims_expired", LOG_STR("pool", w->key), LOG_INT("count", e->n_ended));
  }
  int64_t delay_ms = e->next_ms == INT64_MAX ? LOOK_AT_LEAST_MS : e->next_ms - clock_wall_ms();
  if (e->n_ended == 0 && delay_ms < EXPIRE_SOON_MS)
    delay_ms = EXPIRE_SOON_MS; /* clocks differ: never spin on an end that the state does not see yet */
  schedule(w, delay_ms < LOOK_AT_LEAST_MS ? delay_ms : LOOK_AT_LEAST_MS);
}

static void on_due(void *arg) {
  Watched *w = arg;
  if (w->looking)
    return;
  w->looking = true;
  char ns[STATE_NAME_MAX + 1];
  const char *pool = state_name_split(w->key, ns);
  state_expire(w->loop->claims->state, ns, pool, on_expired, w);
}

void expire_loop_touch(ExpireLoop *loop, const char *ns, const char *pool) {
  char key[2 * (STATE_NAME_MAX + 1)];
  snprintf(key, sizeof key, "%s/%s", ns, pool);
  Watched **node = tfind(key, &loop->root, compare);
  if (node) {
    Watched *w = *node;
    if (!w->looking && w->due_ms > loop_now_ms(w->loop->claims->service->loop) + EXPIRE_SOON_MS)
      schedule(w, EXPIRE_SOON_MS);
    return;
  }
  Watched *w = new0(Watched);
  memcpy(w->key, key, sizeof key);
  w->loop = loop;
  w->timer = loop_timer_new(loop->claims->service->loop, on_due, w);
  if (!tsearch(w, &loop->root, compare))
    abort();
  schedule(w, 0);
}

static void show_queue(const void *node, VISIT visit, void *metrics) {
  const Watched *w = *(const Watched *const *)node;
  if ((visit != postorder && visit != leaf) || w->n_waiting == 0)
    return;
  char ns[STATE_NAME_MAX + 1];
  const char *pool = state_name_split(w->key, ns);
  int64_t age_ms = w->oldest_ms + loop_now_ms(w->loop->claims->service->loop) - w->looked_ms;
  metrics_set(metrics, CLAIMS_METRIC_QUEUE, (double)w->n_waiting, ns, pool, NULL);
  metrics_set(metrics, CLAIMS_METRIC_QUEUE_AGE, (double)age_ms / 1e3, ns, pool, NULL);
}

void expire_loop_scrape(const ExpireLoop *loop, Metrics *metrics) {
  metrics_clear(metrics, CLAIMS_METRIC_QUEUE);
  metrics_clear(metrics, CLAIMS_METRIC_QUEUE_AGE);
  twalk_r(loop->root, show_queue, metrics);
}

void expire_loop_drop(ExpireLoop *loop, const char *ns, const char *pool) {
  char key[2 * (STATE_NAME_MAX + 1)];
  snprintf(key, sizeof key, "%s/%s", ns, pool);
  Watched **node = tfind(key, &loop->root, compare);
  if (!node)
    return;
  Watched *w = *node;
  tdelete(key, &loop->root, compare);
  if (w->looking)
    w->gone = true;
  else
    watched_free(w);
}

ExpireLoop *expire_loop_new(Claims *claims) {
  ExpireLoop *loop = new0(ExpireLoop);
  loop->claims = claims;
  return loop;
}

void expire_loop_free(ExpireLoop *loop) {
  if (!loop)
    return;
  tdestroy(loop->root, watched_free);
  free(loop);
}
