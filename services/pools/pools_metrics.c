/* See pools_metrics.h. */
#include "services/pools/pools_metrics.h"

/* 500 us to 10 s: most calls are one round trip to the state, a template check may look at an image. */
static const double BUCKETS[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,  0.5,    1,     2.5,  5,     10};

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
};

const size_t POOLS_N_METRICS = sizeof POOLS_METRICS / sizeof POOLS_METRICS[0];
