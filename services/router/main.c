/* sandplane-router: the front door. This file only wires the parts. */
#include <stdlib.h>
#include <sys/resource.h>

#include "services/router/access/reload_loop.h"
#include "services/router/grpc/bind_rpc.h"
#include "services/router/grpc/data_rpc.h"
#include "services/router/grpc/forward_rpc.h"
#include "services/router/http/https_tls.h"
#include "services/router/router_loop.h"

#define SANDBOXES "/sandplane.v1.SandboxService/"

static const RpcMethod METHODS[] = {
    {SANDBOXES "Exec", RPC_UNARY, data_rpc_single},
    {SANDBOXES "ExecStream", RPC_STREAM, data_rpc_stream},
    {SANDBOXES "ReadFile", RPC_UNARY, data_rpc_single},
    {SANDBOXES "WriteFile", RPC_STREAM, data_rpc_stream},
    {SANDBOXES "ListFiles", RPC_UNARY, data_rpc_single},
    {SANDBOXES "Stat", RPC_UNARY, data_rpc_single},
    {SANDBOXES "RemoveFile", RPC_UNARY, data_rpc_single},
    {SANDBOXES "CreateSandbox", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "GetSandbox", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "ListSandboxes", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "UpdateSandbox", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "DeleteSandbox", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "BatchCreateSandboxes", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES "BatchDeleteSandboxes", RPC_UNARY, forward_rpc_claims_single},
    {SANDBOXES, RPC_STREAM, forward_rpc_claims},
    {"/sandplane.internal.v1.RouterService/BindSandbox", RPC_UNARY, bind_rpc_sandbox},
    {"/sandplane.v1.QuotaService/", RPC_STREAM, forward_rpc_claims},
    {"/sandplane.v1.TemplateService/", RPC_STREAM, forward_rpc_pools},
    {"/sandplane.v1.PoolService/", RPC_STREAM, forward_rpc_pools},
    {"/sandplane.v1.ImageService/", RPC_STREAM, forward_rpc_reconciler},
};

static Access *access_of(const RouterConfig *config, Error *err) {
  const AccessSettings settings = {.keys_file = config->api_keys_file,
                                   .tokens_file = config->tenant_tokens_file,
                                   .mode = config->authz_mode,
                                   .bearer = config->auth_token,
                                   .secret_file = config->authz_secret_file,
                                   .verification_keys_file = config->authz_verification_keys_file,
                                   .v1_accept_until = config->authz_v1_accept_until,
                                   .http_open = config->http_open,
                                   .grpc_open = config->grpc_open};
  return access_new(&settings, err);
}

static int check(const void *arg, Error *err) {
  const RouterConfig *config = arg;
  AdmitRules rules;
  if (redis_config_check(&config->redis, err) || https_tls_check(config, err))
    return -1;
  Access *access = access_of(config, err);
  int rc = access ? router_rules(config, access, &rules, err) : -1;
  access_free(access);
  return rc;
}

/* A connection takes two descriptors, and the usual soft limit is 1024. */
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
    return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    log_event(LOG_WARN, "descriptor_limit_kept", LOG_INT("limit", (int64_t)limit.rlim_cur));
}

static int start(Service *service, Error *err) {
  const RouterConfig *config = service->config;
  Access *access = access_of(config, err);
  if (!access)
    return -1;
  raise_descriptor_limit();
  Router *router;
  int rc = router_loops_new(service, access, &router, err);
  service->state = router;
  if (rc != 0)
    return -1;
  router->reload = reload_loop_new(service->loop, access);
  service_state_watch(router->shared, NULL, NULL);
  router_loops_run(router);
  return 0;
}

static void set_serving(Service *service, bool serving) {
  router_loops_set_serving(service->state, serving);
}

static void on_clients_drained(void *arg) {
  service_release(arg);
}

static void drain(Service *service) {
  service_hold(service);
  router_loops_drain(service->state, on_clients_drained, service);
}

static void stop(Service *service) {
  Router *router = service->state;
  if (!router)
    return;
  reload_loop_free(router->reload);
  router_loops_free(router);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = ROUTER_CONFIG,
      .config_size = sizeof(RouterConfig),
      .metrics = ROUTER_METRICS,
      .n_metrics = ROUTER_N_METRICS,
      .methods = METHODS,
      .n_methods = ARRAY_LEN(METHODS),
      .rpc_metric = ROUTER_RPC_SECONDS,
      .check = check,
      .start = start,
      .set_serving = set_serving,
      .drain = drain,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
