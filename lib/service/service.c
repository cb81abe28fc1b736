/* See service.h. The life of a service: configured, started, ready, draining, stopped. */
#include "lib/service/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/descriptors.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/service/service_settings.h"
#include "lib/service/service_trace.h"

/* At the end, for the last spans; a collector that is away has had its chance. */
#define TRACE_FLUSH_MS 2000

typedef struct Host {
  Service service;
  const ServiceSpec *spec;
  const char *unready; /* of the service itself; draining goes before it */
  bool draining;
  int holds; /* of the drain: the gRPC server's, and those of service_hold */
  LoopSignal *term, *interrupt;
} Host;

/* The Service is the Host's first member, so that a service's own code needs no back pointer. */
static Host *host_of(Service *service) {
  return (Host *)service;
}

static void publish_readiness(Host *host) {
  const char *reason = host->draining ? "draining" : host->unready;
  admin_set_unready(host->service.admin, reason);
  if (host->service.rpc)
    rpc_server_set_serving(host->service.rpc, reason == NULL);
}

void service_set_ready(Service *service, const char *reason) {
  Host *host = host_of(service);
  if (!str_equal(reason, host->unready))
    log_event(reason ? LOG_WARN : LOG_INFO, reason ? "unready" : "ready", LOG_STR("reason", reason));
  host->unready = reason;
  publish_readiness(host);
}

/* on_done is handed the service's state, and there is one service a process: methods find their metrics
 * through this. */
static Host *the_host;

static void *on_rpc_begin(void *state, RpcCall *call) {
  return service_trace_begin(the_host->service.tracer, call);
}

TraceSpan *service_span(const RpcCall *call) {
  return rpc_call_observer(call);
}

static void on_rpc_done(void *state, const char *path, ErrorKind status, int64_t duration_us, void *span) {
  const char *method = strrchr(path, '/');
  metrics_observe(the_host->service.metrics, the_host->spec->rpc_metric, (double)duration_us / 1e6,
                  method ? method + 1 : path, error_kind_name(status), NULL);
  if (span)
    service_trace_end(span, status);
}

void service_hold(Service *service) {
  host_of(service)->holds++;
}

static void stop_loop(void *arg) {
  loop_stop(arg);
}

void service_release(Service *service) {
  if (--host_of(service)->holds > 0)
    return;
  if (service->tracer)
    tracer_flush(service->tracer, TRACE_FLUSH_MS, stop_loop, service->loop);
  else
    loop_stop(service->loop);
}

static void on_drained(void *arg) {
  service_release(arg);
}

static void on_signal(void *arg) {
  Host *host = arg;
  if (host->draining) {
    log_event(LOG_WARN, "stopping_at_once", LOG_STR("reason", "second signal"));
    _exit(1);
  }
  log_event(LOG_INFO, "draining", LOG_STR("reason", "signal"));
  host->draining = true;
  publish_readiness(host);
  service_hold(&host->service);
  if (host->spec->drain)
    host->spec->drain(&host->service);
  const ServiceConfig *config = host->service.config;
  rpc_server_drain(host->service.rpc, config->shutdown_grace_ms, on_drained, &host->service);
}

static void start_tracer(Host *host) {
  Service *service = &host->service;
  const ServiceConfig *config = service->config;
  TraceConfig trace = {.endpoint = config->otlp_endpoint,
                       .service_name = str_empty(config->otlp_service_name) ? service->name : config->otlp_service_name,
                       .service_version = SERVICE_VERSION};
  Error err;
  size_t first = trace_metrics(service->metrics);
  if (!str_empty(config->otlp_endpoint) && trace_check_ratio(config->trace_sample, &trace.ratio, &err) == 0)
    service->tracer = tracer_new(service->loop, &trace, service->metrics, first);
}

static int listen_all(Host *host, Error *err) {
  Service *service = &host->service;
  const ServiceConfig *config = service->config;
  service->admin = admin_new(service->loop, config->admin_address, service->metrics, err);
  if (!service->admin)
    return -1;
  start_tracer(host);
  host->unready = "starting";
  publish_readiness(host);
  if (host->spec->start(service, err))
    return -1;
  const RpcServerConfig rpc = {
      .address = config->grpc_address,
      .methods = host->spec->methods,
      .n_methods = host->spec->n_methods,
      .service = service->state,
      .descriptors = SANDPLANE_DESCRIPTORS,
      .descriptors_len = SANDPLANE_DESCRIPTORS_len,
      .on_begin = service->tracer ? on_rpc_begin : NULL,
      .on_done = on_rpc_done,
  };
  service->rpc = rpc_server_new(service->loop, &rpc, err);
  if (!service->rpc)
    return -1;
  publish_readiness(host);
  return 0;
}

static void report_start(const Host *host) {
  char *dump = config_dump_json(&host->spec->config, host->service.config);
  log_event(LOG_INFO, "started", LOG_STR("version", SERVICE_VERSION), LOG_STR("config", dump));
  free(dump);
}

static int run(Host *host) {
  Service *service = &host->service;
  Error err = {0};
  int rc = 0;
  service->loop = loop_new();
  service->metrics = metrics_new(host->spec->metrics, host->spec->n_metrics);
  if (listen_all(host, &err)) {
    log_event(LOG_ERROR, "start_failed", LOG_ERR(&err));
    rc = 1;
  } else {
    host->term = loop_signal_new(service->loop, SIGTERM, on_signal, host);
    host->interrupt = loop_signal_new(service->loop, SIGINT, on_signal, host);
    report_start(host);
    loop_run(service->loop);
    log_event(LOG_INFO, "stopped", LOG_STR("reason", "drained"));
  }
  loop_signal_free(host->term);
  loop_signal_free(host->interrupt);
  rpc_server_free(service->rpc);
  service->rpc = NULL;
  if (service->state)
    host->spec->stop(service);
  tracer_free(service->tracer);
  admin_free(service->admin);
  metrics_free(service->metrics);
  loop_free(service->loop);
  return rc;
}

static int check_common(const ServiceConfig *config, LogLevel *ret_level, Error *err) {
  double ratio;
  Error why;
  if (!log_level_parse(config->log_level, ret_level))
    return error_field(err, "log-level", "--log-level: '%s' is not debug, info, warn or error", config->log_level);
  if (!str_empty(config->otlp_endpoint) && trace_check_endpoint(config->otlp_endpoint, &why))
    return error_field(err, "otlp-endpoint", "--otlp-endpoint: %s", why.message);
  if (trace_check_ratio(config->trace_sample, &ratio, &why))
    return error_field(err, "trace-sample", "--trace-sample: %s", why.message);
  return 0;
}

static int configure(const ServiceSpec *spec, int argc, char **argv, ServiceSettings *settings, void *config) {
  Error err;
  LogLevel level;
  int rc = service_settings_parse(settings, &spec->config, argc, argv, config, &err);
  if (rc == CONFIG_HELP) {
    CLEANUP(str_freep) char *help = config_help(&spec->config);
    fputs(help, stdout);
    return CONFIG_HELP;
  }
  if (rc == CONFIG_VERSION) {
    printf("%s %s\n", spec->config.program, SERVICE_VERSION);
    return CONFIG_VERSION;
  }
  if (rc == 0)
    rc = check_common(config, &level, &err);
  if (rc == 0 && spec->check)
    rc = spec->check(config, &err);
  if (rc) {
    fprintf(stderr, "%s: %s\n", spec->config.program, err.message);
    return -1;
  }
  log_setup(spec->config.program, level);
  return 0;
}

int service_main(const ServiceSpec *spec, int argc, char **argv) {
  void *config = xcalloc(1, spec->config_size);
  CLEANUP(service_settings_deinit) ServiceSettings settings = {0};
  int rc = configure(spec, argc, argv, &settings, config);
  if (rc == 0) {
    /* a peer that goes away is an error of the write, not the end of the service */
    signal(SIGPIPE, SIG_IGN);
    Host host = {.service = {.name = spec->config.program, .config = config}, .spec = spec};
    the_host = &host;
    rc = run(&host);
  } else {
    rc = rc < 0 ? 2 : 0;
  }
  free(config);
  return rc;
}
