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

#define SERVICE_VERSION "0.1.0"

/* The head of every service's config struct, filled by SERVICE_CONFIG_ITEMS. */
typedef struct ServiceConfig {
  const char *grpc_address;
  const char *admin_address;
  const char *log_level;
  int64_t shutdown_grace_ms;
} ServiceConfig;

/* First rows of every config table; `type` is the service's config struct, whose first member is a
 * ServiceConfig named `service`. */
#define SERVICE_CONFIG_ITEMS(type, default_grpc, default_admin)              \
  {"grpc-address",                                                           \
   "SANDPLANE_GRPC_ADDRESS",                                                 \
   CONFIG_ADDRESS,                                                           \
   offsetof(type, service.grpc_address),                                     \
   default_grpc,                                                             \
   0,                                                                        \
   0,                                                                        \
   false,                                                                    \
   "gRPC listener"},                                                         \
      {"admin-address",                                                      \
       "SANDPLANE_ADMIN_ADDRESS",                                            \
       CONFIG_ADDRESS,                                                       \
       offsetof(type, service.admin_address),                                \
       default_admin,                                                        \
       0,                                                                    \
       0,                                                                    \
       false,                                                                \
       "listener of /metrics, /healthz and /readyz"},                        \
      {"log-level",                                                          \
       "SANDPLANE_LOG_LEVEL",                                                \
       CONFIG_STRING,                                                        \
       offsetof(type, service.log_level),                                    \
       "info",                                                               \
       0,                                                                    \
       0,                                                                    \
       false,                                                                \
       "debug, info, warn or error"},                                        \
  {                                                                          \
    "shutdown-grace", "SANDPLANE_SHUTDOWN_GRACE", CONFIG_DURATION,           \
        offsetof(type, service.shutdown_grace_ms), "10s", 0, 3600000, false, \
        "how long calls may go on after SIGTERM"                             \
  }

typedef struct Service {
  const char *name;
  Loop *loop;
  Metrics *metrics;
  Admin *admin;
  RpcServer *rpc;     /* NULL until start has returned */
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

/* reason NULL: ready. */
void service_set_ready(Service *service, const char *reason);
/* Inside drain: the process goes on until service_release has been called as often, on the loop. */
void service_hold(Service *service);
void service_release(Service *service);
/* main() of a service. Exit codes: 0 clean; 1 runtime failure; 2 bad flags. */
int service_main(const ServiceSpec *spec, int argc, char **argv);

#endif
