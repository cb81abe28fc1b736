/* What the parts of the pools service share; main.c makes it, and the loop thread owns it. */
#ifndef SANDPLANE_SERVICES_POOLS_POOLS_H_
#define SANDPLANE_SERVICES_POOLS_POOLS_H_

#include "lib/authz/authz.h"
#include "lib/rpc/rpc_client.h"
#include "lib/service/service_state.h"
#include "services/pools/config.h"

typedef struct Pools {
  Service *service;
  const PoolsConfig *config;
  ServiceState *shared;
  State *state;
  RpcChannel *reconciler;
  struct RefillLoop *refill;
  struct LeaderLoop *leader;
} Pools;

/* For whom the router calls, as claims_caller of services/claims has it; NULL: nobody in particular. */
static inline const AuthzPrincipal *pools_caller(const RpcCall *call, AuthzPrincipal *room) {
  bool told = authz_told(rpc_call_metadata(call, AUTHZ_METADATA_TENANT), rpc_call_metadata(call, AUTHZ_METADATA_ROLE),
                         rpc_call_metadata(call, AUTHZ_METADATA_NAMESPACES), room);
  return told ? room : NULL;
}

/* The service of an RpcRequest. */
static inline Pools *pools_of(void *service) {
  return service;
}

#endif
