/* What the parts of the claims service share; main.c makes it, and the loop thread owns it. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_

#include "lib/service/service_state.h"
#include "services/claims/config.h"

typedef struct Claims {
  Service *service;
  const ClaimsConfig *config;
  ServiceState *shared;
  State *state;
  struct Directory *directory;
  struct ClaimStore *store;
  struct BatchStore *batches;
  struct OrphanStore *orphans;
  struct ExpireLoop *expire;
  struct WatchHub *watches;
} Claims;

/* Metadata in which the router says for whom it calls, after it has authenticated the caller; it passes on none that a
 * caller sent. Whoever reaches claims past the router is trusted as the router is. NULL: nobody in particular. */
#define CLAIMS_TENANT_METADATA "sandplane-tenant"
static inline const char *claims_tenant(const RpcCall *call) {
  return rpc_call_metadata(call, CLAIMS_TENANT_METADATA);
}

/* The service of an RpcRequest. */
static inline Claims *claims_of(void *service) {
  return service;
}

#endif
