/* See reconciler_metrics.h. */
#include "services/reconciler/reconciler_metrics.h"

/* 100 us to 10 s, as METRICS_LATENCY_BUCKETS, which is no constant expression. */
static const double BUCKETS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                 0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};

/* A gVisor sandbox takes some ten milliseconds, a Pod its grace period. */
static const double REAP[] = {.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300};

/* As Kubernetes measures requests to an API server. */
static const double REST_CLIENT[] = {.005, .025, .1, .25, .5, 1, 2, 4, 8, 15, 30, 60};
#define REST_CLIENT_METRIC(name, help) \
  { name, METRIC_HISTOGRAM, help, {"verb", "host"}, REST_CLIENT, sizeof REST_CLIENT / sizeof REST_CLIENT[0] }

/* The reference controller's, in milliseconds. */
static const double STARTUP[] = {100,  250,  500,   750,   1000,  1250,   1500,  2000,
                                 2500, 5000, 10000, 30000, 60000, 120000, 240000};
static const double CREATION[] = {50,    100,   250,   500,    1000,   2500,   5000,
                                  10000, 30000, 60000, 120000, 240000, 300000, 600000};
#define STARTUP_METRIC(name, help) \
  { name, METRIC_HISTOGRAM, help, {"launch_type", "sandbox_template"}, STARTUP, sizeof STARTUP / sizeof STARTUP[0] }

const MetricDesc RECONCILER_METRICS[RECONCILER_N_METRICS] = {
    [RECONCILER_METRIC_RPC] = {"sandplane_rpc_duration_seconds",
                               METRIC_HISTOGRAM,
                               "gRPC calls served",
                               {"method", "code"},
                               BUCKETS,
                               sizeof BUCKETS / sizeof BUCKETS[0]},
    [RECONCILER_METRIC_SANDBOXES] = {"sandplane_sandboxes", METRIC_GAUGE, "sandboxes on this machine", {"class"}, 0, 0},
    [RECONCILER_METRIC_STARTED] =
        {"sandplane_sandboxes_started_total", METRIC_COUNTER, "sandboxes that became ready", {"class"}, 0, 0},
    [RECONCILER_METRIC_ENDED] = {"sandplane_sandboxes_ended_total",
                                 METRIC_COUNTER,
                                 "sandboxes that ended by themselves or never came up",
                                 {"reason"},
                                 0,
                                 0},
    [RECONCILER_METRIC_DESTROYED] =
        {"sandplane_sandboxes_destroyed_total", METRIC_COUNTER, "sandboxes of which nothing is left", {0}, 0, 0},
    [RECONCILER_METRIC_REAP] = {"sandplane_sandbox_reap_seconds",
                                METRIC_HISTOGRAM,
                                "from the release of a sandbox until nothing of it is left",
                                {0},
                                REAP,
                                sizeof REAP / sizeof REAP[0]},
    [RECONCILER_METRIC_KUBE_REQUESTS] =
        {"rest_client_requests_total", METRIC_COUNTER, "requests to the API server", {"method", "code"}, 0, 0},
    [RECONCILER_METRIC_KUBE_DURATION] = REST_CLIENT_METRIC(
        "rest_client_request_duration_seconds", "from the sending of a request to the API server to its answer"),
    [RECONCILER_METRIC_KUBE_WAIT] = REST_CLIENT_METRIC("rest_client_rate_limiter_duration_seconds",
                                                       "how long a request to the API server waited for its turn"),
    [RECONCILER_METRIC_CLAIM_STARTUP] = STARTUP_METRIC("agent_sandbox_claim_startup_latency_ms",
                                                       "from the admission of a SandboxClaim to its first Ready"),
    [RECONCILER_METRIC_CLAIM_CONTROLLER_STARTUP] =
        STARTUP_METRIC("agent_sandbox_claim_controller_startup_latency_ms",
                       "from the first sight of a SandboxClaim to its first Ready"),
    [RECONCILER_METRIC_CLIENT_CLAIM_STARTUP] =
        STARTUP_METRIC("agent_sandbox_client_claim_startup_latency_ms",
                       "from the client's request, by its clock, to the first Ready of a SandboxClaim"),
    [RECONCILER_METRIC_CREATION] = {"agent_sandbox_creation_latency_ms",
                                    METRIC_HISTOGRAM,
                                    "from the creation of a claimed Sandbox to its Ready",
                                    {"namespace", "launch_type", "sandbox_template"},
                                    CREATION,
                                    sizeof CREATION / sizeof CREATION[0]},
    [RECONCILER_METRIC_CLAIMS] = {"agent_sandbox_claim_creation_total",
                                  METRIC_COUNTER,
                                  "SandboxClaims that got a Sandbox",
                                  {"namespace", "sandbox_template", "launch_type", "warmpool_name", "pod_condition",
                                   "created_by"},
                                  0,
                                  0},
    [RECONCILER_METRIC_KUBE_SANDBOXES] = {"agent_sandboxes",
                                          METRIC_GAUGE,
                                          "Sandbox objects",
                                          {"namespace", "ready_condition", "expired", "launch_type", "sandbox_template",
                                           "owned_by", "created_by", "operating_mode"},
                                          0,
                                          0},
    [RECONCILER_METRIC_BUILD] = {"agent_sandbox_build_info",
                                 METRIC_GAUGE,
                                 "what this program was built from",
                                 {"git_version", "git_commit", "build_date", "go_version", "compiler", "platform"},
                                 0,
                                 0},
};
