/* Who makes a gRPC call, before anything of it is done or passed on. */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_IDENTITY_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_IDENTITY_RPC_H_

#include "lib/rpc/rpc_server.h"
#include "services/router/router.h"

/* Metadata that tells claims whose call it is (services/claims/claims.h). A caller's own is never passed on. */
#define IDENTITY_RPC_TENANT "sandplane-tenant"

/* 0: go on; *ret_tenant is the caller's, NULL where callers are not told apart. -1: UNAUTHENTICATED, or
 * PERMISSION_DENIED for what takes an administrator. */
int identity_rpc_check(const Router *router, RpcCall *call, const char **ret_tenant, Error *err) MUST_CHECK;

#endif
