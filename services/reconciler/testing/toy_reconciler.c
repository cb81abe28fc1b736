/* The reconciler as it is, over the toy backend: for tools/chaos, which needs thousands of sandboxes a minute. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "services/reconciler/reconcile_loop.h"
#include "services/reconciler/reconciler_metrics.h"
#include "services/reconciler/reconciler_rpc.h"
#include "services/reconciler/start_spans.h"
#include "services/reconciler/testing/toy_backend.h"

#define RECONCILER_SERVICE "/sandplane.internal.v1.ReconcilerService/"

static const RpcMethod METHODS[] = {
    {RECONCILER_SERVICE "CheckTemplate", RPC_UNARY, reconciler_rpc_check_template},
    {RECONCILER_SERVICE "CreateSandboxes", RPC_UNARY, reconciler_rpc_create_sandboxes},
};

/* Ready is what has compared itself with the state. */
static bool on_connected(void *arg) {
  Reconciler *r = arg;
  reconcile_loop_connected(r->loop);
  return false;
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
  r->backend = toy_backend_new(service->loop, r->config->data_dir, &RECONCILE_EVENTS, r->loop, err);
  if (!r->backend)
    return -1;
  service_state_watch(r->shared, on_connected, r);
  return 0;
}

static void stop(Service *service) {
  Reconciler *r = service->state;
  reconcile_loop_stop(r->loop);
  service_state_close(r->shared);
  if (r->backend)
    r->backend->ops->free(r->backend, false);
  reconcile_loop_free(r->loop);
  start_spans_free(r->starts);
  service_state_free(r->shared);
  free(r);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = RECONCILER_CONFIG,
      .config_size = sizeof(ReconcilerConfig),
      .metrics = RECONCILER_METRICS,
      .n_metrics = RECONCILER_N_METRICS,
      .methods = METHODS,
      .n_methods = ARRAY_LEN(METHODS),
      .rpc_metric = RECONCILER_METRIC_RPC,
      .start = start,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
