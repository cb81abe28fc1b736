/* sandplane-reconciler: the outside world. This file only wires the parts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/service/service_settings.h"
#include "services/reconciler/config_folder.h"
#include "services/reconciler/image_rpc.h"
#include "services/reconciler/kubernetes/kubernetes_backend.h"
#include "services/reconciler/local/local_backend.h"
#include "services/reconciler/reconcile_loop.h"
#include "services/reconciler/reconciler_metrics.h"
#include "services/reconciler/reconciler_rpc.h"
#include "services/reconciler/start_spans.h"

#define RECONCILER_SERVICE "/sandplane.internal.v1.ReconcilerService/"
#define IMAGE_SERVICE "/sandplane.v1.ImageService/"

static const RpcMethod METHODS[] = {
    {RECONCILER_SERVICE "CheckTemplate", RPC_UNARY, reconciler_rpc_check_template},
    {RECONCILER_SERVICE "CreateSandboxes", RPC_UNARY, reconciler_rpc_create_sandboxes},
    {IMAGE_SERVICE "ImportImage", RPC_STREAM, image_rpc_import},
    {IMAGE_SERVICE "ListImages", RPC_UNARY, image_rpc_list},
};

/* Ready is what has compared itself with the state. */
static bool on_connected(void *arg) {
  Reconciler *r = arg;
  reconcile_loop_connected(r->loop);
  return false;
}

static void set_class_gauge(void *arg, const char *class_name, size_t n) {
  metrics_set(arg, RECONCILER_METRIC_SANDBOXES, (double)n, class_name, NULL, NULL);
}

static void on_scrape(void *arg) {
  Reconciler *r = arg;
  local_backend_classes(r->backend, set_class_gauge, r->service->metrics);
}

static void log_class(void *arg, const char *class_name, size_t n) {
  const char *about = local_backend_about(arg, class_name), *lacks = local_backend_lacks(arg, class_name);
  log_event(lacks ? LOG_WARN : LOG_INFO, "runtime_class", LOG_STR("class", class_name),
            LOG_BOOL("works", about != NULL), LOG_STR("about", about ? about : ""),
            LOG_STR("reason", lacks ? lacks : ""), LOG_INT("taken_over", (int64_t)n));
}

static bool is_local(const ReconcilerConfig *config) {
  return strcmp(config->backend, "local") == 0;
}

static void set_build_info(Metrics *metrics) {
  /* there is no Go here; its label stays for the queries that name it */
  const MetricLabels labels = {{SERVICE_VERSION, "", "", "", ("clang " __clang_version__), "linux/amd64"}};
  metrics_set_labels(metrics, RECONCILER_METRIC_BUILD, 1, &labels);
}

static int check_address(const char *flag, const char *address, Error *err) {
  if (!*address || strcmp(address, "0") == 0 || admin_port(address) >= 0)
    return 0;
  return error_field(err, flag, "--%s: '%s' is not host:port, :port or 0", flag, address);
}

static int check(const void *config, Error *err) {
  const ReconcilerConfig *c = config;
  if (redis_config_check(&c->redis, err))
    return -1;
  if (is_local(c))
    return local_backend_check_config(config, err);
  if (strcmp(c->backend, "kubernetes") == 0)
    return check_address("metrics-bind-address", c->metrics_address, err) ||
                   check_address("health-probe-bind-address", c->health_address, err)
               ? -1
               : 0;
  return error_set(err, ERROR_INVALID_ARGUMENT, "--backend: must be local or kubernetes, not \"%s\"", c->backend);
}

/* ---- the reference controller's settings ---- */

/* Its listeners, for manifests that have their ports; one port is bound once. */
static int listen_further(Reconciler *r, Error *err) {
  const char *addresses[] = {r->config->service.admin_address, r->config->metrics_address, r->config->health_address};
  for (size_t i = 1; i < ARRAY_LEN(addresses); i++) {
    int port = admin_port(addresses[i]);
    bool is_bound = port < 0;
    for (size_t k = 0; k < i; k++)
      is_bound |= admin_port(addresses[k]) == port;
    if (!is_bound && admin_listen(r->service->admin, addresses[i], err) != 0)
      return -1;
  }
  return 0;
}

static void log_settings(const ReconcilerConfig *c) {
  for (size_t i = 0; i < ARRAY_LEN(RECONCILER_UNUSED); i++) {
    const UnusedFlag *f = &RECONCILER_UNUSED[i];
    if (reconciler_unused_is_given(c, f))
      log_event(LOG_WARN, "flag_without_effect", LOG_STR("flag", f->flag), LOG_STR("reason", f->why));
  }
  char *const nothing[] = {"", NULL};
  ConfigFolder folder;
  config_folder_read(&folder, c->config_dir, 1, (char **)nothing);
  if (*folder.unknown)
    log_event(LOG_WARN, "unknown_settings", LOG_STR("folder", c->config_dir), LOG_STR("keys", folder.unknown));
  config_folder_deinit(&folder);
}

static int start_kubernetes(Reconciler *r, Error *err) {
  log_settings(r->config);
  if (listen_further(r, err) != 0)
    return -1;
  r->backend = kubernetes_backend_new(r->service->loop, r->config, r->state, r->service->metrics, &RECONCILE_EVENTS,
                                      r->loop, err);
  if (!r->backend)
    return -1;
  admin_on_scrape(r->service->admin, kubernetes_backend_scrape, r->backend);
  set_build_info(r->service->metrics);
  return 0;
}

static int start_local(Reconciler *r, Error *err) {
  r->backend = local_backend_new(r->service->loop, r->config, &RECONCILE_EVENTS, r->loop, err);
  if (!r->backend)
    return -1;
  r->images = local_backend_images(r->backend);
  local_backend_classes(r->backend, log_class, r->backend);
  admin_on_scrape(r->service->admin, on_scrape, r);
  return 0;
}

static int start(Service *service, Error *err) {
  Reconciler *r = new0(Reconciler);
  service->state = r;
  r->service = service;
  r->config = service->config;
  r->shared = service_state_new(service, &r->config->redis, NULL);
  r->state = service_state_of(r->shared);
  r->starts = start_spans_new();
  r->loop = reconcile_loop_new(r);
  if (*r->config->router)
    r->router = rpc_channel_new(service->loop, r->config->router);
  if ((is_local(r->config) ? start_local : start_kubernetes)(r, err) != 0)
    return -1;
  service_state_watch(r->shared, on_connected, r);
  return 0;
}

static void on_resigned(void *arg) {
  service_release(arg);
}

static void drain(Service *service) {
  Reconciler *r = service->state;
  if (!r->backend->ops->resign)
    return;
  service_hold(service);
  r->backend->ops->resign(r->backend, on_resigned, service);
}

static void stop(Service *service) {
  Reconciler *r = service->state;
  RpcChannel *router = r->router;
  r->router = NULL;
  reconcile_loop_stop(r->loop);
  rpc_channel_free(router);
  service_state_close(r->shared);
  if (r->backend)
    r->backend->ops->free(r->backend, r->config->destroy_on_exit);
  reconcile_loop_free(r->loop);
  start_spans_free(r->starts);
  service_state_free(r->shared);
  free(r);
}

/* The command line with what the mounted ConfigMap says before it. False: a key has a bad value, which is told. What is
 * wrong with the command line itself is service_main's to tell. */
static bool read_folder(int argc, char **argv, ConfigFolder *folder) {
  ReconcilerConfig config;
  CLEANUP(service_settings_deinit) ServiceSettings settings = {0};
  Error err;
  if (service_settings_parse(&settings, &RECONCILER_CONFIG, argc, argv, &config, &err) != 0 || is_local(&config))
    return config_folder_read(folder, "", argc, argv), true;
  const char *path = config.config_dir;
  config_folder_read(folder, path, argc, argv);
  if (config_parse(&RECONCILER_CONFIG, folder->argc, folder->argv, &config, &err) == 0)
    return true;
  fprintf(stderr, "%s: %s/%s (ConfigMap agent-sandbox-config): %s\n", RECONCILER_CONFIG.program, path, err.field,
          err.message);
  return false;
}

int main(int argc, char **argv) {
  ConfigFolder folder;
  const ServiceSpec spec = {
      .config = RECONCILER_CONFIG,
      .config_size = sizeof(ReconcilerConfig),
      .metrics = RECONCILER_METRICS,
      .n_metrics = RECONCILER_N_METRICS,
      .methods = METHODS,
      .n_methods = ARRAY_LEN(METHODS),
      .rpc_metric = RECONCILER_METRIC_RPC,
      .check = check,
      .start = start,
      .drain = drain,
      .stop = stop,
  };
  int code = read_folder(argc, argv, &folder) ? service_main(&spec, folder.argc, folder.argv) : 2;
  config_folder_deinit(&folder);
  return code;
}
