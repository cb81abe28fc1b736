/* See claims_metrics.h. */
#include "services/claims/claims_metrics.h"

/* 100 us to a minute: a warm claim is below a millisecond, a queued one lasts as long as a cold start. */
static const double BUCKETS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                 0.1,    0.25,    0.5,    1,     2.5,    5,     10,   30,    60};

const MetricDesc CLAIMS_METRICS[] = {
    [CLAIMS_METRIC_RPC] = {.name = "sandplane_rpc_duration_seconds",
                           .type = METRIC_HISTOGRAM,
                           .help = "gRPC calls served, by method and status code",
                           .labels = {"method", "code"},
                           .buckets = BUCKETS,
                           .n_buckets = sizeof BUCKETS / sizeof BUCKETS[0]},
    [CLAIMS_METRIC_CLAIMS] = {.name = "sandplane_claims_total",
                              .type = METRIC_COUNTER,
                              .help = "CreateSandbox calls by how they ended",
                              .labels = {"outcome"}},
    [CLAIMS_METRIC_CLAIM_SECONDS] = {.name = "sandplane_claim_duration_seconds",
                                     .type = METRIC_HISTOGRAM,
                                     .help = "CreateSandbox calls that got a sandbox: warm at once or after the queue",
                                     .labels = {"phase"},
                                     .buckets = BUCKETS,
                                     .n_buckets = sizeof BUCKETS / sizeof BUCKETS[0]},
    [CLAIMS_METRIC_POOL_CLAIMS] =
        {.name = "sandplane_pool_claims_total",
         .type = METRIC_COUNTER,
         .help = "claims by what they found in the pool: a hit got a ready sandbox at once, a miss waited or got none",
         .labels = {"namespace", "pool", "result"}},
    [CLAIMS_METRIC_WAITING] = {.name = "sandplane_claims_waiting",
                               .type = METRIC_GAUGE,
                               .help = "CreateSandbox calls of this replica that wait in a pool's queue"},
    [CLAIMS_METRIC_ENDED] = {.name = "sandplane_claims_ended_total",
                             .type = METRIC_COUNTER,
                             .help = "claims, grants and waiters that this replica ended because their time was over"},
    [CLAIMS_METRIC_WATCHES] = {.name = "sandplane_watches",
                               .type = METRIC_GAUGE,
                               .help = "WatchSandboxes streams that are open"},
    [CLAIMS_METRIC_POOLS] = {.name = "sandplane_claims_pools",
                             .type = METRIC_GAUGE,
                             .help = "pools this replica knows"},
    [CLAIMS_METRIC_QUEUE] = {.name = "sandplane_queue_waiting",
                             .type = METRIC_GAUGE,
                             .help = "claims that wait in a pool's queue, of all replicas; pools without are left out",
                             .labels = {"namespace", "pool"}},
    [CLAIMS_METRIC_QUEUE_AGE] = {.name = "sandplane_queue_oldest_seconds",
                                 .type = METRIC_GAUGE,
                                 .help = "how long the oldest claim in a pool's queue has waited",
                                 .labels = {"namespace", "pool"}},
    [CLAIMS_METRIC_REFUSED] = {.name = "sandplane_quota_refusals_total",
                               .type = METRIC_COUNTER,
                               .help = "claims that a tenant's quota had no room for",
                               .labels = {"namespace", "tenant", "limit"}},
};

const size_t CLAIMS_N_METRICS = sizeof CLAIMS_METRICS / sizeof CLAIMS_METRICS[0];

void claims_metrics_met(Metrics *metrics, const char *ns, const char *pool, bool hit, size_t n) {
  metrics_add(metrics, CLAIMS_METRIC_POOL_CLAIMS, (double)n, ns, pool, hit ? "hit" : "miss");
}
