/* What the parts of the claims service share; main.c makes it, and the loop thread owns it. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIMS_H_

#include "lib/authz/authz.h"
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

/* For whom the router calls, after it has authenticated the caller and asked the table of methods; it passes on no such
 * metadata that a caller sent. Whoever reaches claims past the router is trusted as the router is. In the call's memory
 * and *room; NULL: nobody in particular, who may do everything. */
static inline const AuthzPrincipal *claims_caller(const RpcCall *call, AuthzPrincipal *room) {
  bool told = authz_told(rpc_call_metadata(call, AUTHZ_METADATA_TENANT), rpc_call_metadata(call, AUTHZ_METADATA_ROLE),
                         rpc_call_metadata(call, AUTHZ_METADATA_NAMESPACES), room);
  return told ? room : NULL;
}

/* The service of an RpcRequest. */
static inline Claims *claims_of(void *service) {
  return service;
}

#endif
