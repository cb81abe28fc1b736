/* sandplane-pools: templates, pools, and keeping each pool at its size. This file only wires the parts. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "services/pools/leader_loop.h"
#include "services/pools/pool_rpc.h"
#include "services/pools/pools.h"
#include "services/pools/pools_metrics.h"
#include "services/pools/refill_loop.h"
#include "services/pools/template_rpc.h"

#define TEMPLATE_SERVICE "/sandplane.v1.TemplateService/"
#define POOL_SERVICE "/sandplane.v1.PoolService/"

static const RpcMethod METHODS[] = {
    {TEMPLATE_SERVICE "ApplyTemplate", RPC_UNARY, template_rpc_apply},
    {TEMPLATE_SERVICE "GetTemplate", RPC_UNARY, template_rpc_get},
    {TEMPLATE_SERVICE "ListTemplates", RPC_UNARY, template_rpc_list},
    {TEMPLATE_SERVICE "DeleteTemplate", RPC_UNARY, template_rpc_delete},
    {POOL_SERVICE "ApplyPool", RPC_UNARY, pool_rpc_apply},
    {POOL_SERVICE "GetPool", RPC_UNARY, pool_rpc_get},
    {POOL_SERVICE "ListPools", RPC_UNARY, pool_rpc_list},
    {POOL_SERVICE "DeletePool", RPC_UNARY, pool_rpc_delete},
    {POOL_SERVICE "ScalePool", RPC_UNARY, pool_rpc_scale},
};

static bool on_connected(void *arg) {
  Pools *pools = arg;
  refill_loop_look(pools->refill);
  return true;
}

static void on_leadership(void *arg, bool leads) {
  Pools *pools = arg;
  refill_loop_lead(pools->refill, leads);
}

static int check(const void *config, Error *err) {
  return redis_config_check(&((const PoolsConfig *)config)->redis, err);
}

static void on_scrape(void *arg) {
  refill_loop_report(((Pools *)arg)->refill);
}

static int start(Service *service, Error *err) {
  Pools *pools = new0(Pools);
  service->state = pools;
  pools->service = service;
  pools->config = service->config;
  pools->shared = service_state_new(service, &pools->config->redis, NULL);
  pools->state = service_state_of(pools->shared);
  pools->reconciler = rpc_channel_new(service->loop, pools->config->reconciler);
  pools->refill = refill_loop_new(pools);
  pools->leader = leader_loop_new(service->loop, pools->state, on_leadership, pools);
  service_state_watch(pools->shared, on_connected, pools);
  admin_on_scrape(service->admin, on_scrape, pools);
  return 0;
}

static void drain(Service *service) {
  Pools *pools = service->state;
  leader_loop_resign(pools->leader);
}

static void stop(Service *service) {
  Pools *pools = service->state;
  /* Both answer what is still asked, so the parts below are alive. */
  rpc_channel_free(pools->reconciler);
  service_state_close(pools->shared);
  leader_loop_free(pools->leader);
  refill_loop_free(pools->refill);
  service_state_free(pools->shared);
  free(pools);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = POOLS_CONFIG,
      .config_size = sizeof(PoolsConfig),
      .metrics = POOLS_METRICS,
      .n_metrics = POOLS_N_METRICS,
      .methods = METHODS,
      .n_methods = sizeof METHODS / sizeof METHODS[0],
      .rpc_metric = POOLS_METRIC_RPC,
      .check = check,
      .start = start,
      .drain = drain,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
