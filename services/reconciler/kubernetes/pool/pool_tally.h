/* How many members each pool has, kept as they change: counting thousands for each of them that changes would be most
 * of the work. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_TALLY_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_POOL_TALLY_H_

#include <jansson.h>

typedef struct PoolTally {
  json_t *pools; /* uid of the pool -> {"ready": number, "unready": {name of a Sandbox: null}} */
} PoolTally;

void pool_tally_init(PoolTally *t);
void pool_tally_deinit(PoolTally *t);
/* Told of each change of a Sandbox, as an informer tells it. Those being deleted do not count. */
void pool_tally_change(PoolTally *t, const json_t *before, const json_t *after);
int pool_tally_active(const PoolTally *t, const char *pool_uid);
int pool_tally_ready(const PoolTally *t, const char *pool_uid);
/* Those that are not ready, as keys of an object; borrowed, NULL: none. */
json_t *pool_tally_unready(const PoolTally *t, const char *pool_uid);

#endif
