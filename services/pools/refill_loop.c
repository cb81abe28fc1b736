/* See refill_loop.h. */
#include "services/pools/refill_loop.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/state/state_pool.h"
#include "services/pools/pools_metrics.h"
#include "services/pools/refill_pool.h"

typedef struct Listed {
  char key[REFILL_KEY_SIZE]; /* first member: the key of the tree */
  bool listed;               /* in the index when it was last read */
  RefillPool *pool;
} Listed;

struct RefillLoop {
  Pools *pools;
  bool leads, listing;
  LoopTimer *timer;
  void *root; /* tsearch(3) */
};

static int compare(const void *a, const void *b) {
  return strcmp(a, b);
}

static Listed *ensure(RefillLoop *loop, const char *ns, const char *name) {
  char key[REFILL_KEY_SIZE];
  snprintf(key, sizeof key, "%s/%s", ns, name);
  Listed **node = tfind(key, &loop->root, compare);
  if (node)
    return *node;
  Listed *entry = new0(Listed);
  memcpy(entry->key, key, sizeof key);
  entry->pool = refill_pool_new(loop->pools, &loop->leads, ns, name);
  if (!tsearch(entry, &loop->root, compare))
    abort();
  return entry;
}

typedef struct Unlisted {
  Listed **entries;
  size_t n;
} Unlisted;

/* One that is being looked at may have been made since the index was read. It is kept till the next time: another one
 * of its name would order what the first one has under way. */
static void collect_unlisted(const void *node, VISIT which, void *closure) {
  Unlisted *unlisted = closure;
  Listed *e = *(Listed *const *)node;
  if (which != postorder && which != leaf)
    return;
  if (e->listed || refill_pool_is_busy(e->pool)) {
    e->listed = false;
    return;
  }
  unlisted->entries = xreallocarray(unlisted->entries, unlisted->n + 1, sizeof(Listed *));
  unlisted->entries[unlisted->n++] = e;
}

static void drop_unlisted(RefillLoop *loop) {
  Unlisted unlisted = {0};
  twalk_r(loop->root, collect_unlisted, &unlisted);
  for (size_t i = 0; i < unlisted.n; i++) {
    Listed *e = unlisted.entries[i];
    tdelete(e->key, &loop->root, compare);
    refill_pool_drop(e->pool);
    free(e);
  }
  free(unlisted.entries);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  RefillLoop *loop = arg;
  loop->listing = false;
  loop_timer_start(loop->timer, REFILL_LOOK_MS);
  if (err)
    return;
  for (size_t i = 0; i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (!name)
      continue;
    Listed *e = ensure(loop, ns, name);
    e->listed = true;
    refill_pool_look(e->pool);
  }
  drop_unlisted(loop);
}

void refill_loop_look(RefillLoop *loop) {
  if (loop->listing || !loop->leads)
    return;
  loop->listing = true;
  loop_timer_stop(loop->timer);
  state_pool_names(loop->pools->state, "", "", 0, on_names, loop);
}

static void on_timer(void *arg) {
  refill_loop_look(arg);
}

static void on_hint(void *arg, const char *ns, const char *name) {
  RefillLoop *loop = arg;
  if (!ns)
    refill_loop_look(loop);
  else if (loop->leads)
    refill_pool_look(ensure(loop, ns, name)->pool);
}

static void report(const void *node, VISIT which, void *closure) {
  if (which == postorder || which == leaf)
    refill_pool_report((*(Listed *const *)node)->pool);
}

void refill_loop_report(RefillLoop *loop) {
  for (size_t metric = POOLS_METRIC_REPLICAS; metric <= POOLS_METRIC_DESTROYED; metric++)
    metrics_clear(loop->pools->service->metrics, metric);
  if (loop->leads)
    twalk_r(loop->root, report, NULL);
}

void refill_loop_lead(RefillLoop *loop, bool leads) {
  loop->leads = leads;
  metrics_set(loop->pools->service->metrics, POOLS_METRIC_LEADER, leads, NULL, NULL, NULL);
  log_event(LOG_INFO, "leadership", LOG_BOOL("leads", leads));
  refill_loop_look(loop);
}

static void listed_free(void *arg) {
  Listed *e = arg;
  refill_pool_free(e->pool);
  free(e);
}

RefillLoop *refill_loop_new(Pools *pools) {
  RefillLoop *loop = new0(RefillLoop);
  loop->pools = pools;
  loop->timer = loop_timer_new(pools->service->loop, on_timer, loop);
  state_on_pools(pools->state, on_hint, loop);
  return loop;
}

void refill_loop_free(RefillLoop *loop) {
  if (!loop)
    return;
  loop_timer_free(loop->timer);
  tdestroy(loop->root, listed_free);
  free(loop);
}
