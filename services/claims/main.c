/* sandplane-claims: who holds which sandbox, until when. This file only wires the parts. */
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "services/claims/batch/batch_rpc.h"
#include "services/claims/batch/batch_store.h"
#include "services/claims/claim/claim_store.h"
#include "services/claims/claim/create_rpc.h"
#include "services/claims/claim/directory.h"
#include "services/claims/claim/expire_loop.h"
#include "services/claims/claim/list_rpc.h"
#include "services/claims/claim/orphan_store.h"
#include "services/claims/claim/sandbox_rpc.h"
#include "services/claims/claims.h"
#include "services/claims/claims_metrics.h"
#include "services/claims/quota_rpc.h"
#include "services/claims/watch/watch_rpc.h"

#define SERVICE "/sandplane.v1.SandboxService/"
#define QUOTAS "/sandplane.v1.QuotaService/"

static const RpcMethod METHODS[] = {
    {SERVICE "CreateSandbox", RPC_UNARY, create_rpc},
    {SERVICE "GetSandbox", RPC_UNARY, sandbox_rpc_get},
    {SERVICE "ListSandboxes", RPC_UNARY, list_rpc},
    {SERVICE "WatchSandboxes", RPC_UNARY, watch_rpc},
    {SERVICE "UpdateSandbox", RPC_UNARY, sandbox_rpc_update},
    {SERVICE "DeleteSandbox", RPC_UNARY, sandbox_rpc_delete},
    {SERVICE "BatchCreateSandboxes", RPC_UNARY, batch_rpc_create},
    {SERVICE "BatchDeleteSandboxes", RPC_UNARY, batch_rpc_delete},
    {QUOTAS "ApplyQuota", RPC_UNARY, quota_rpc_apply},
    {QUOTAS "GetQuota", RPC_UNARY, quota_rpc_get},
    {QUOTAS "ListQuotas", RPC_UNARY, quota_rpc_list},
    {QUOTAS "DeleteQuota", RPC_UNARY, quota_rpc_delete},
};

static bool on_connected(void *arg) {
  Claims *claims = arg;
  directory_refresh(claims->directory);
  return true;
}

static void on_pool(void *arg, const char *ns, const char *pool, bool present) {
  Claims *claims = arg;
  if (present)
    expire_loop_touch(claims->expire, ns, pool);
  else
    expire_loop_drop(claims->expire, ns, pool);
  watch_hub_pool(claims->watches, ns, pool, present);
}

static void on_scrape(void *arg) {
  Claims *claims = arg;
  Metrics *metrics = claims->service->metrics;
  size_t waiting = claim_store_waiting(claims->store) + batch_store_waiting(claims->batches);
  metrics_set(metrics, CLAIMS_METRIC_WAITING, (double)waiting, NULL, NULL, NULL);
  metrics_set(metrics, CLAIMS_METRIC_WATCHES, (double)watch_hub_size(claims->watches), NULL, NULL, NULL);
  metrics_set(metrics, CLAIMS_METRIC_POOLS, (double)directory_size(claims->directory), NULL, NULL, NULL);
  expire_loop_scrape(claims->expire, metrics);
}

static int check(const void *config, Error *err) {
  return redis_config_check(&((const ClaimsConfig *)config)->redis, err);
}

static int start(Service *service, Error *err) {
  Claims *claims = new0(Claims);
  service->state = claims;
  claims->service = service;
  claims->config = service->config;
  claims->shared = service_state_new(service, &claims->config->redis, NULL);
  claims->state = service_state_of(claims->shared);
  claims->expire = expire_loop_new(claims);
  claims->watches = watch_hub_new(claims);
  claims->orphans = orphan_store_new(service->loop, claims->state);
  claims->store = claim_store_new(claims);
  claims->batches = batch_store_new(claims);
  claims->directory = directory_new(service->loop, claims->state, on_pool, claims);
  service_state_watch(claims->shared, on_connected, claims);
  admin_on_scrape(service->admin, on_scrape, claims);
  return 0;
}

static void drain(Service *service) {
  Claims *claims = service->state;
  watch_hub_drain(claims->watches);
}

static void stop(Service *service) {
  Claims *claims = service->state;
  if (!claims)
    return;
  service_state_close(claims->shared);
  directory_free(claims->directory);
  claim_store_free(claims->store);
  batch_store_free(claims->batches);
  orphan_store_free(claims->orphans);
  watch_hub_free(claims->watches);
  expire_loop_free(claims->expire);
  service_state_free(claims->shared);
  free(claims);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = CLAIMS_CONFIG,
      .config_size = sizeof(ClaimsConfig),
      .metrics = CLAIMS_METRICS,
      .n_metrics = CLAIMS_N_METRICS,
      .methods = METHODS,
      .n_methods = sizeof METHODS / sizeof METHODS[0],
      .rpc_metric = CLAIMS_METRIC_RPC,
      .check = check,
      .start = start,
      .drain = drain,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
