/* Settings of the reconciler. */
#ifndef SANDPLANE_SERVICES_RECONCILER_CONFIG_H_
#define SANDPLANE_SERVICES_RECONCILER_CONFIG_H_

#include "lib/redis/redis_config.h"
#include "lib/service/service.h"

typedef struct ReconcilerConfig {
  ServiceConfig service;
  RedisConfig redis;
  const char *data_dir;
  const char *runsc, *runsc_platform, *bwrap;
  const char *runtime_binary, *unpack_binary;
  const char *default_runtime_class;
  const char *cgroup_root;
  int64_t max_starting;
  int64_t start_timeout_ms;
  int64_t sandbox_uid;
  bool destroy_on_exit;
  /* of the kubernetes backend */
  const char *backend;
  const char *kubeconfig, *kube_context;
  const char *cluster_domain;
  int64_t kube_api_qps, kube_api_burst;
  bool leader_elect;
  const char *leader_election_namespace;
  int64_t sandbox_workers, claim_workers;
  int64_t readiness_grace_ms, recheck_ms;
  bool warm_pool_eviction;
  int64_t grpc_claim_quiet_ms;
  bool disable_claim_events, disable_claim_observability;
  const char *webhook_address, *webhook_namespace, *webhook_service, *webhook_url;
} ReconcilerConfig;

extern const ConfigTable RECONCILER_CONFIG;

#endif
