/* Flags and environment of the claims service. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CONFIG_H_
#define SANDPLANE_SERVICES_CLAIMS_CONFIG_H_

#include <stdint.h>

#include "lib/redis/redis_config.h"
#include "lib/service/service.h"

typedef struct ClaimsConfig {
  ServiceConfig service;
  RedisConfig redis;
  const char *router_url;
  int64_t max_watches;
} ClaimsConfig;

extern const ConfigTable CLAIMS_CONFIG;

#endif
