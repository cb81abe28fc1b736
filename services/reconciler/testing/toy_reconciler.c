/* The reconciler as it is, over the toy backend: for tools/chaos, which needs thousands of sandboxes a minute. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
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

static void on_redis(void *arg, bool connected) {
  Reconciler *r = arg;
  if (connected)
    reconcile_loop_connected(r->loop);
  else
    service_set_ready(r->service, "the state store does not answer");
}

static int start(Service *service, Error *err) {
  Reconciler *r = new0(Reconciler);
  service->state = r;
  r->service = service;
  r->config = service->config;
  r->redis = redis_client_new(service->loop, &r->config->redis);
  char replica[33];
  random_uid(replica);
  r->state = state_new(r->redis, replica);
  r->starts = start_spans_new();
  r->loop = reconcile_loop_new(r);
  r->backend = toy_backend_new(service->loop, r->config->data_dir, &RECONCILE_EVENTS, r->loop, err);
  if (!r->backend)
    return -1;
  service_set_ready(service, "the state store does not answer");
  redis_client_on_state(r->redis, on_redis, r);
  return 0;
}

static void stop(Service *service) {
  Reconciler *r = service->state;
  reconcile_loop_stop(r->loop);
  redis_client_free(r->redis);
  if (r->backend)
    r->backend->ops->free(r->backend, false);
  reconcile_loop_free(r->loop);
  start_spans_free(r->starts);
  state_free(r->state);
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
