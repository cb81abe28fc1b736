/* See pools_metrics.h. */
#include "services/pools/pools_metrics.h"

#include "lib/base/log.h"

/* 500 us to 10 s: most calls are one round trip to the state, a template check may look at an image. */
static const double BUCKETS[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

const MetricDesc POOLS_METRICS[] = {
    [POOLS_METRIC_RPC] = {.name = "sandplane_rpc_duration_seconds",
                          .type = METRIC_HISTOGRAM,
                          .help = "gRPC calls served, by method and status code",
                          .labels = {"method", "code"},
                          .buckets = BUCKETS,
                          .n_buckets = sizeof BUCKETS / sizeof BUCKETS[0]},
    [POOLS_METRIC_LEADER] = {.name = "sandplane_pools_leader",
                             .type = METRIC_GAUGE,
                             .help = "1 while this replica fills the pools"},
    [POOLS_METRIC_ORDERED] = {.name = "sandplane_pools_ordered_total",
                              .type = METRIC_COUNTER,
                              .help = "sandboxes ordered from the reconciler"},
    [POOLS_METRIC_RETIRED] = {.name = "sandplane_pools_retired_total",
                              .type = METRIC_COUNTER,
                              .help = "ready sandboxes given up",
                              .labels = {"reason"}},
    [POOLS_METRIC_REFUSED] = {.name = "sandplane_pools_refused_total",
                              .type = METRIC_COUNTER,
                              .help = "orders the reconciler did not take, by status code",
                              .labels = {"code"}},
    [POOLS_METRIC_REPLICAS] = {.name = "sandplane_pool_replicas",
                               .type = METRIC_GAUGE,
                               .help = "ready sandboxes that a pool should have",
                               .labels = {"namespace", "pool"}},
    [POOLS_METRIC_SANDBOXES] = {.name = "sandplane_pool_sandboxes",
                                .type = METRIC_GAUGE,
                                .help = "sandboxes of a pool; claimed ones with those that failed in a claim's hands",
                                .labels = {"namespace", "pool", "state"}},
    [POOLS_METRIC_CREATED] =
        {.name = "sandplane_pool_sandboxes_created_total",
         .type = METRIC_COUNTER,
         .help = "sandboxes a pool ever had: at any time those destroyed and those in any state together",
         .labels = {"namespace", "pool"}},
    [POOLS_METRIC_DESTROYED] = {.name = "sandplane_pool_sandboxes_destroyed_total",
                                .type = METRIC_COUNTER,
                                .help = "sandboxes of a pool of which nothing is left",
                                .labels = {"namespace", "pool"}},
};

const size_t POOLS_N_METRICS = sizeof POOLS_METRICS / sizeof POOLS_METRICS[0];

PoolNumbers pools_metrics_numbers(const PoolRecord *record) {
  return (PoolNumbers){
      .known = true,
      .replicas = record->replicas,
      .creating = record->n_creating,
      .ready = record->n_ready,
      .claimed = record->n_claimed,
      .releasing = record->n_releasing,
      .created = record->n_created,
      .destroyed = record->n_destroyed,
  };
}

/* Added, not set: beyond as many pools as a metric may have, they share one series. */
void pools_metrics_report(Metrics *m, const char *ns, const char *name, const PoolNumbers *n) {
  const struct {
    const char *state;
    int64_t n;
  } states[] = {{"creating", n->creating}, {"ready", n->ready}, {"claimed", n->claimed}, {"releasing", n->releasing}};
  if (!n->known)
    return;
  for (size_t i = 0; i < ARRAY_LEN(states); i++)
    metrics_add(m, POOLS_METRIC_SANDBOXES, (double)states[i].n, ns, name, states[i].state);
  metrics_add(m, POOLS_METRIC_REPLICAS, (double)n->replicas, ns, name, NULL);
  if (n->created < 0)
    return;
  metrics_add(m, POOLS_METRIC_CREATED, (double)n->created, ns, name, NULL);
  metrics_add(m, POOLS_METRIC_DESTROYED, (double)n->destroyed, ns, name, NULL);
}

void pools_count_retired(Metrics *metrics, const char *pool, int n, const char *reason) {
  if (n <= 0)
    return;
  metrics_add(metrics, POOLS_METRIC_RETIRED, n, reason, NULL, NULL);
  log_event(LOG_INFO, "sandboxes_retired", LOG_STR("pool", pool), LOG_INT("count", n), LOG_STR("reason", reason));
}
