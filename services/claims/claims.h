/* What the parts of the claims service share; main.c makes it, and the loop thread owns it. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_

#include "lib/service/service.h"
#include "lib/state/state.h"
#include "services/claims/config.h"

typedef struct Claims {
  Service *service;
  const ClaimsConfig *config;
  RedisClient *redis;
  State *state;
  struct Directory *directory;
  struct ClaimStore *store;
  struct BatchStore *batches;
  struct OrphanStore *orphans;
  struct ExpireLoop *expire;
  struct WatchHub *watches;
} Claims;

/* The service of an RpcRequest. */
static inline Claims *claims_of(void *service) {
  return service;
}

#endif
