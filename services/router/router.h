/* What the parts of the router share: its configuration, its metrics, its connections to the rest. */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTER_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTER_H_

#include <stdatomic.h>

#include "lib/rpc/rpc_http.h"
#include "lib/service/service_state.h"
#include "services/router/access/access.h"
#include "services/router/http/admit.h"

#define LOOPS_MAX 256

typedef struct RouterConfig {
  ServiceConfig service;
  const char *http_address, *https_address;
  const char *tls_cert_file, *tls_key_file, *tls_client_ca_file;
  const char *mtls_mode, *tls_min_version, *tls_cipher_suites;
  RedisConfig redis;
  const char *claims, *pools, *reconciler;
  const char *authz_mode, *authz_secret_file, *authz_verification_keys_file, *authz_v1_accept_until, *auth_token;
  const char *api_keys_file, *tenant_tokens_file;
  const char *grpc_web_origins;
  bool http_open, grpc_open;
  const char *path_prefix, *host_domain, *allowed_hosts;
  bool path_rewrites;
  BrowserSession session;
  bool trusts_proto;
  int64_t loops;
  int64_t proxy_timeout_ms;
  int64_t upgrade_idle_timeout_ms;
  int64_t max_connections;
  int64_t max_requests;
  int64_t upstream_max_retries;
  int64_t upstream_max_idle, upstream_max_idle_per_port, upstream_idle_timeout_ms, upstream_quiet_time_ms;
  bool access_log;
  bool allow_loopback_pod_ip;
} RouterConfig;

extern const ConfigTable ROUTER_CONFIG;

/* Indexes of ROUTER_METRICS; names and labels of sandbox_router_* are those of the Agent Sandbox router. */
typedef enum RouterMetric {
  ROUTER_RPC_SECONDS,
  ROUTER_REQUESTS,
  ROUTER_REQUEST_SECONDS,
  ROUTER_INFLIGHT,
  ROUTER_UPSTREAM_ERRORS,
  ROUTER_UPSTREAM_RETRIES,
  ROUTER_AUTHZ_DECISIONS,
  ROUTER_CONNECTIONS,
  ROUTER_CONNECTIONS_REFUSED,
  ROUTER_TLS_HANDSHAKES,
  ROUTER_TLS_LOADS,
  ROUTER_TLS_EXPIRY,
  ROUTER_HTTP2_REFUSED,
  ROUTER_SANDBOX_CALLS,
  ROUTER_UPSTREAM_OPENED,
  ROUTER_UPSTREAM_REUSED,
  ROUTER_UPSTREAM_IDLE,
  ROUTER_N_METRICS,
} RouterMetric;

extern const MetricDesc ROUTER_METRICS[ROUTER_N_METRICS];

/* What all loops of the process have in common. The counts are those that its bounds are of. */
typedef struct RouterAll {
  Access *access;
  atomic_llong n_connections; /* of clients */
  atomic_size_t n_calls;      /* of gRPC */
  atomic_size_t n_held;       /* bytes of their messages */
  atomic_llong n_exchanges;   /* HTTP requests on their way to a sandbox or answered by one */
  atomic_llong n_idle;        /* connections into sandboxes that are kept */
  struct HttpsTls *tls;       /* of --https-address; NULL: there is none */
  bool grpc_by_http;          /* the listeners of HTTP take calls of gRPC, too */
  struct Router **routers;    /* one a loop, the service's first; what is another's is told by loop_post */
  size_t n_routers;
} RouterAll;

/* What one loop has, on whose thread all of it is used. The metrics and the tracer of the service are any loop's. */
typedef struct Router {
  Service *service;
  Loop *loop;
  const RouterConfig *config;
  RouterAll *all;
  ServiceState *shared;
  State *state;
  AdmitRules admission;
  struct HttpListener *http, *https; /* NULL: without an address */
  struct HttpListener *grpc;         /* of --grpc-address */
  struct UpstreamPool *upstreams;
  struct Backend *claims, *pools, *reconciler;
  RpcHttp *rpc;              /* its calls, of any listener */
  struct ReloadLoop *reload; /* the first's */
} Router;

/* What HTTP requests are held to, with strings of config. 0 or -1, err names the flag. */
int router_rules(const RouterConfig *config, const Access *access, AdmitRules *ret, Error *err) MUST_CHECK;

#endif
