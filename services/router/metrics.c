/* The router's metrics: see router.h. */
#include "services/router/router.h"

/* The buckets of the Agent Sandbox router, up to its default timeout. */
static const double REQUEST_BUCKETS[] = {.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 180};

/* From an answer without a sandbox to a long command. */
static const double CALL_BUCKETS[] = {.0002, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5, 10, 60};

const MetricDesc ROUTER_METRICS[ROUTER_N_METRICS] = {
    [ROUTER_RPC_SECONDS] = {"sandplane_rpc_duration_seconds",
                            METRIC_HISTOGRAM,
                            "gRPC calls by method and code",
                            {"method", "code"},
                            CALL_BUCKETS,
                            ARRAY_LEN(CALL_BUCKETS)},
    [ROUTER_REQUESTS] = {"sandbox_router_requests_total",
                         METRIC_COUNTER,
                         "HTTP requests answered",
                         {"method", "code", "sandbox_namespace"}},
    [ROUTER_REQUEST_SECONDS] = {"sandbox_router_request_duration_seconds",
                                METRIC_HISTOGRAM,
                                "HTTP requests, from their head to the end of the answer",
                                {"method", "code", "sandbox_namespace"},
                                REQUEST_BUCKETS,
                                ARRAY_LEN(REQUEST_BUCKETS)},
    [ROUTER_INFLIGHT] = {"sandbox_router_inflight_requests", METRIC_GAUGE, "HTTP requests being answered"},
    [ROUTER_UPSTREAM_ERRORS] = {"sandbox_router_upstream_errors_total",
                                METRIC_COUNTER,
                                "HTTP requests a sandbox did not answer",
                                {"sandbox_namespace", "reason"}},
    [ROUTER_UPSTREAM_RETRIES] = {"sandbox_router_upstream_retries_total",
                                 METRIC_COUNTER,
                                 "further attempts to reach a port in a sandbox",
                                 {"sandbox_namespace"}},
    [ROUTER_AUTHZ_DECISIONS] = {"sandbox_router_authz_decisions_total",
                                METRIC_COUNTER,
                                "HTTP requests allowed and denied",
                                {"sandbox_namespace", "decision"}},
    [ROUTER_CONNECTIONS] = {"sandplane_router_http_connections", METRIC_GAUGE, "open HTTP connections"},
    [ROUTER_CONNECTIONS_REFUSED] = {"sandplane_router_http_connections_refused_total", METRIC_COUNTER,
                                    "HTTP connections refused above --max-connections"},
    [ROUTER_HTTP2_REFUSED] = {"sandplane_router_http2_refused_total",
                              METRIC_COUNTER,
                              "HTTP/2 connections ended and streams refused, by the bound that was passed",
                              {"bound"}},
    [ROUTER_SANDBOX_CALLS] = {"sandplane_router_sandbox_calls", METRIC_GAUGE, "gRPC calls into sandboxes under way"},
    [ROUTER_UPSTREAM_OPENED] = {"sandplane_router_upstream_opened_total", METRIC_COUNTER,
                                "connections made to a port in a sandbox for an HTTP request"},
    [ROUTER_UPSTREAM_REUSED] = {"sandplane_router_upstream_reused_total", METRIC_COUNTER,
                                "HTTP requests that went by a kept connection"},
    [ROUTER_UPSTREAM_IDLE] = {"sandplane_router_upstream_idle", METRIC_GAUGE,
                              "connections to ports in sandboxes that are kept and idle"},
};
