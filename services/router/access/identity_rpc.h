/* Who makes a gRPC call, before anything of it is done or passed on. */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_IDENTITY_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_IDENTITY_RPC_H_

#include "lib/authz/authz_sources.h"
#include "lib/rpc/rpc_server.h"
#include "services/router/router.h"

/* Of whoever calls, while the call needs it. */
typedef struct Caller {
  AuthzSources *held;
  const AuthzPrincipal *who; /* NULL: callers are not told apart, and everything is allowed */
} Caller;

/* 0: go on, and caller_release in the end. -1: UNAUTHENTICATED, or PERMISSION_DENIED for what the role does not
 * allow; nothing to release. Which objects the caller may reach is judged by who reads them. */
int identity_rpc_check(const Router *router, const RpcCall *call, Caller *ret_caller, Error *err) MUST_CHECK;
void caller_release(Caller *caller);

#endif
