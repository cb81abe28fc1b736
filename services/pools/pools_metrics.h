/* What the pools service counts, in one table; an enum value is a metric's index in it. */
#ifndef SANDPLANE_SERVICES_POOLS_POOLS_METRICS_H_
#define SANDPLANE_SERVICES_POOLS_POOLS_METRICS_H_

#include <stddef.h>

#include "lib/base/metrics.h"
#include "lib/state/state.h"

enum {
  POOLS_METRIC_RPC,
  POOLS_METRIC_LEADER,
  POOLS_METRIC_ORDERED,
  POOLS_METRIC_RETIRED,
  POOLS_METRIC_REFUSED,
  /* Of each pool, as the leader last read it. */
  POOLS_METRIC_REPLICAS,
  POOLS_METRIC_SANDBOXES,
  POOLS_METRIC_CREATED,
  POOLS_METRIC_DESTROYED,
};

extern const MetricDesc POOLS_METRICS[];
extern const size_t POOLS_N_METRICS;

/* So many sandboxes of the pool "namespace/name" were let go of; 0: nothing is said. */
void pools_count_retired(Metrics *metrics, const char *pool, int n, const char *reason);

/* A pool at one moment. */
typedef struct PoolNumbers {
  bool known;
  int64_t replicas, creating, ready, claimed, releasing, created, destroyed;
} PoolNumbers;

PoolNumbers pools_metrics_numbers(const PoolRecord *record);
/* Adds a pool to the metrics by pool, which were cleared before; nothing when it is not known. */
void pools_metrics_report(Metrics *metrics, const char *ns, const char *name, const PoolNumbers *numbers);

#endif
