/* See identity_rpc.h. */
#include "services/router/access/identity_rpc.h"

#include "lib/authz/authz_table.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/router/access/access.h"

static int find(const AuthzSources *sources, const RpcCall *call, const AuthzPrincipal **ret_who, Error *err) {
  const char *authorization = rpc_call_metadata(call, "authorization");
  const char *credential = authorization ? access_credential(authorization) : NULL;
  if (!credential)
    return error_set(err, ERROR_UNAUTHENTICATED, "the call needs a bearer token");
  return authz_sources_find(sources, credential, clock_wall_ms() / 1000, ret_who, err);
}

int identity_rpc_check(const Router *router, const RpcCall *call, Caller *ret_caller, Error *err) {
  *ret_caller = (Caller){0};
  if (access_grpc_is_open(router->all->access))
    return 0;
  AuthzStore *store = access_store(router->all->access);
  if (!store)
    return error_set(
        err, ERROR_UNAUTHENTICATED,
        "gRPC is shut: HTTP is locked, and the router has nothing that opens gRPC (--api-keys-file), and no "
        "--grpc-open");
  Caller caller = {.held = authz_store_take(store)};
  if (find(caller.held, call, &caller.who, err) == 0 && authz_check_method(caller.who, rpc_call_path(call), err) == 0) {
    *ret_caller = caller;
    return 0;
  }
  caller_release(&caller);
  return -1;
}

void caller_release(Caller *caller) {
  authz_sources_release(caller->held);
  *caller = (Caller){0};
}
