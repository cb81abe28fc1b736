/* Settings of the reconciler. */
#ifndef SANDPLANE_SERVICES_RECONCILER_CONFIG_H_
#define SANDPLANE_SERVICES_RECONCILER_CONFIG_H_

#include "lib/service/service.h"

typedef struct ReconcilerConfig {
  ServiceConfig service;
  const char *redis_address, *redis_password;
  const char *data_dir;
  const char *runsc, *runsc_platform, *bwrap;
  const char *runtime_binary, *unpack_binary;
  const char *default_runtime_class;
  const char *cgroup_root;
  int64_t max_starting;
  int64_t start_timeout_ms;
  int64_t sandbox_uid;
  bool destroy_on_exit;
} ReconcilerConfig;

extern const ConfigTable RECONCILER_CONFIG;

#endif
