/* The common shape of the four services.
 *
 * service_main does what is the same in all: config table, --help, --version, JSON logs, loop, metrics,
 * admin listener, gRPC server with health and reflection, readiness, drain on SIGTERM and SIGINT. A
 * service's main.c declares its tables and wires its parts in start.
 */
#ifndef SANDPLANE_LIB_SERVICE_SERVICE_H_
#define SANDPLANE_LIB_SERVICE_SERVICE_H_

#include "lib/admin/admin.h"
#include "lib/base/config.h"
#include "lib/base/error.h"
#include "lib/base/log.h"
#include "lib/base/metrics.h"
#include "lib/loop/loop.h"
#include "lib/rpc/rpc_server.h"
#include "lib/trace/trace.h"

#define SERVICE_VERSION "0.1.0"

/* The head of every service's config struct, filled by SERVICE_CONFIG_ITEMS. */
typedef struct ServiceConfig {
  const char *config_file;
  const char *grpc_address;
  const char *admin_address;
  const char *log_level;
  int64_t shutdown_grace_ms;
  const char *otlp_endpoint, *otlp_service_name, *trace_sample;
} ServiceConfig;

/* First rows of every config table; `type` is the service's config struct, whose first member is a
 * ServiceConfig named `service`. config_env: of --config, a name for each program, because programs that are started
 * together share an environment. The settings of traces have the names that OpenTelemetry gives them in the
 * environment. */
#define SERVICE_CONFIG_ROW(type, flag, env, kind, field, fallback, max, help) \
  { flag, env, kind, offsetof(type, service.field), fallback, 0, max, false, help }
#define SERVICE_CONFIG_ITEMS(type, default_grpc, default_admin, config_env)                                          \
  SERVICE_CONFIG_ROW(type, "config", config_env, CONFIG_STRING, config_file, "", 0,                                  \
                     "YAML file of settings by the names of these flags"),                                           \
      SERVICE_CONFIG_ROW(type, "grpc-address", "SANDPLANE_GRPC_ADDRESS", CONFIG_ADDRESS, grpc_address, default_grpc, \
                         0, "gRPC listener"),                                                                        \
      SERVICE_CONFIG_ROW(type, "admin-address", "SANDPLANE_ADMIN_ADDRESS", CONFIG_ADDRESS, admin_address,            \
                         default_admin, 0, "listener of /metrics, /healthz and /readyz"),                            \
      SERVICE_CONFIG_ROW(type, "log-level", "SANDPLANE_LOG_LEVEL", CONFIG_STRING, log_level, "info", 0,              \
                         "debug, info, warn or error"),                                                              \
      SERVICE_CONFIG_ROW(type, "shutdown-grace", "SANDPLANE_SHUTDOWN_GRACE", CONFIG_DURATION, shutdown_grace_ms,     \
                         "10s", 3600000, "how long calls may go on after SIGTERM"),                                  \
      SERVICE_CONFIG_ROW(type, "otlp-endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT", CONFIG_STRING, otlp_endpoint, "", 0,  \
                         "http://host:port of a collector that takes traces by OTLP over gRPC; empty: no traces"),   \
      SERVICE_CONFIG_ROW(type, "otlp-service-name", "OTEL_SERVICE_NAME", CONFIG_STRING, otlp_service_name, "", 0,    \
                         "service.name of its traces; empty: the program's name"),                                   \
      SERVICE_CONFIG_ROW(                                                                                            \
          type, "trace-sample", "OTEL_TRACES_SAMPLER_ARG", CONFIG_STRING, trace_sample, "1", 0,                      \
          "share of the traces begun here that is recorded, 0 to 1; callers' own choose for themselves")

typedef struct Service {
  const char *name;
  Loop *loop;
  Metrics *metrics;
  Admin *admin;
  RpcServer *rpc;     /* NULL until start has returned */
  Tracer *tracer;     /* NULL: traces are off */
  const void *config; /* the service's own config struct */
  void *state;        /* set by start, handed to the methods and to stop */
} Service;

typedef struct ServiceSpec {
  ConfigTable config;
  size_t config_size;
  const MetricDesc *metrics;
  size_t n_metrics;
  const RpcMethod *methods;
  size_t n_methods;
  /* Index in metrics of a histogram {method, code} in seconds that every gRPC call is observed in. */
  size_t rpc_metric;
  /* Judges what the table cannot, for example two flags that exclude each other: -1 with one line is exit 2.
   * Optional. */
  int (*check)(const void *config, Error *err);
  /* Makes service->state. The gRPC listener opens after it; call service_set_ready when the service can do
   * its job (Redis connected, ...). */
  int (*start)(Service *service, Error *err);
  /* SIGTERM: calls are drained; stop whatever makes work by itself. What takes time to end on top of the
   * calls says so with service_hold. Optional. */
  void (*drain)(Service *service);
  /* After the drain: free service->state. */
  void (*stop)(Service *service);
} ServiceSpec;

/* The span of a call that a service serves; NULL when traces are off. Valid until the call is finished. */
TraceSpan *service_span(const RpcCall *call);
/* reason NULL: ready. */
void service_set_ready(Service *service, const char *reason);
/* Inside drain: the process goes on until service_release has been called as often, on the loop. */
void service_hold(Service *service);
void service_release(Service *service);
/* main() of a service. Exit codes: 0 clean; 1 runtime failure; 2 bad flags. */
int service_main(const ServiceSpec *spec, int argc, char **argv);

#endif
