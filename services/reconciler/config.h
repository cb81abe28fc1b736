/* Settings of the reconciler. */
#ifndef SANDPLANE_SERVICES_RECONCILER_CONFIG_H_
#define SANDPLANE_SERVICES_RECONCILER_CONFIG_H_

#include "lib/redis/redis_config.h"
#include "lib/service/service.h"

enum { RECONCILER_N_UNUSED_TEXTS = 14, RECONCILER_N_UNUSED_BOOLS = 8 };

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
  int64_t sandbox_uid_base, sandbox_uid_count;
  bool destroy_on_exit;
  /* of the kubernetes backend */
  const char *backend;
  const char *kubeconfig, *kube_context;
  const char *cluster_domain;
  const char *router; /* empty: none */
  double kube_api_qps;
  int64_t kube_api_burst;
  const char *config_dir;
  const char *metrics_address, *health_address; /* empty or "0": none beside the admin listener */
  bool leader_elect;
  const char *leader_election_namespace;
  int64_t sandbox_workers, claim_workers, pool_workers, template_workers;
  int64_t readiness_grace_ms, recheck_ms, candidate_grace_ms;
  bool warm_pool_eviction;
  int64_t grpc_claim_quiet_ms;
  bool disable_claim_events, disable_sandbox_events, disable_claim_observability;
  bool rest_client_metrics;
  bool webhook_enabled;
  int64_t webhook_port; /* 0: that of webhook_address */
  const char *webhook_address, *webhook_namespace, *webhook_service, *webhook_url;
  /* Flags of the reference controller that change nothing here, by RECONCILER_UNUSED; as given, "": not given. */
  const char *unused_texts[RECONCILER_N_UNUSED_TEXTS];
  bool unused_bools[RECONCILER_N_UNUSED_BOOLS];
} ReconcilerConfig;

/* Why such a flag is without effect; is_bool: in unused_bools, where `usual` is what says nothing. */
typedef struct UnusedFlag {
  const char *flag, *why;
  size_t index;
  bool is_bool, usual;
} UnusedFlag;
extern const UnusedFlag RECONCILER_UNUSED[RECONCILER_N_UNUSED_TEXTS + RECONCILER_N_UNUSED_BOOLS];
/* Whether it was given, and not as it always is. */
bool reconciler_unused_is_given(const ReconcilerConfig *config, const UnusedFlag *flag);

extern const ConfigTable RECONCILER_CONFIG;

#endif
