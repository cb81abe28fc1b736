/* See reconciler_metrics.h. */
#include "services/reconciler/reconciler_metrics.h"

/* 100 us to 10 s, as METRICS_LATENCY_BUCKETS, which is no constant expression. */
static const double BUCKETS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

const MetricDesc RECONCILER_METRICS[RECONCILER_N_METRICS] = {
    [RECONCILER_METRIC_RPC] = {"sandplane_rpc_duration_seconds", METRIC_HISTOGRAM, "gRPC calls served", {"method", "code"}, BUCKETS,
                               sizeof BUCKETS / sizeof BUCKETS[0]},
    [RECONCILER_METRIC_SANDBOXES] = {"sandplane_sandboxes", METRIC_GAUGE, "sandboxes on this machine", {"class"}, 0, 0},
    [RECONCILER_METRIC_STARTED] = {"sandplane_sandboxes_started_total", METRIC_COUNTER, "sandboxes that became ready", {"class"}, 0, 0},
    [RECONCILER_METRIC_ENDED] = {"sandplane_sandboxes_ended_total", METRIC_COUNTER, "sandboxes that ended by themselves or never came up", {"reason"}, 0, 0},
    [RECONCILER_METRIC_DESTROYED] = {"sandplane_sandboxes_destroyed_total", METRIC_COUNTER, "sandboxes of which nothing is left", {0}, 0, 0},
};
