/* Flags and environment of the pools service. */
#ifndef SANDPLANE_SERVICES_POOLS_CONFIG_H_
#define SANDPLANE_SERVICES_POOLS_CONFIG_H_

#include "lib/redis/redis_config.h"
#include "lib/service/service.h"

typedef struct PoolsConfig {
  ServiceConfig service;
  RedisConfig redis;
  const char *reconciler;
  int64_t max_creating;
  bool read_only;
} PoolsConfig;

extern const ConfigTable POOLS_CONFIG;

#endif
