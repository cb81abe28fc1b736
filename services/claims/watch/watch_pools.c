/* See watch_pools.h. */
#include "services/claims/watch/watch_pools.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/str.h"

static void pool_free(WatchPool *pool) {
  watch_set_deinit(&pool->seen);
  free(pool);
}

void watch_pools_deinit(WatchPools *pools) {
  for (size_t i = 0; i < pools->n; i++)
    pool_free(pools->items[i]);
  free(pools->items);
  *pools = (WatchPools){0};
}

WatchPool *watch_pools_find(const WatchPools *pools, const char *ns, const char *name) {
  for (size_t i = 0; i < pools->n; i++)
    if (str_equal(pools->items[i]->name, name) && str_equal(pools->items[i]->ns, ns))
      return pools->items[i];
  return NULL;
}

WatchPool *watch_pools_add(WatchPools *pools, const char *ns, const char *name) {
  const WatchScope *scope = &pools->scope;
  if ((scope->ns[0] && !str_equal(scope->ns, ns)) || (scope->pool[0] && !str_equal(scope->pool, name)) ||
      !authz_may_use(scope->who, ns))
    return NULL;
  WatchPool *pool = watch_pools_find(pools, ns, name);
  if (pool)
    return pool;
  pool = calloc(1, sizeof *pool);
  pools->items = reallocarray(pools->items, pools->n + 1, sizeof(WatchPool *));
  if (!pool || !pools->items)
    abort();
  snprintf(pool->ns, sizeof pool->ns, "%s", ns);
  snprintf(pool->name, sizeof pool->name, "%s", name);
  snprintf(pool->key, sizeof pool->key, "%s/%s", ns, name);
  pools->items[pools->n++] = pool;
  return pool;
}

WatchPool *watch_pools_add_key(WatchPools *pools, const char *key) {
  char ns[STATE_NAME_MAX + 1];
  const char *name = state_name_split(key, ns);
  return name ? watch_pools_add(pools, ns, name) : NULL;
}

void watch_pools_remove(WatchPools *pools, WatchPool *pool) {
  for (size_t i = 0; i < pools->n; i++)
    if (pools->items[i] == pool)
      pools->items[i] = pools->items[--pools->n];
  pool_free(pool);
}
