/* See identity_rpc.h. */
#include "services/router/access/identity_rpc.h"

#include "lib/base/str.h"

/* Whoever sets quotas decides what the others get. */
#define ADMIN_PREFIX "/sandplane.v1.QuotaService/"

int identity_rpc_check(const Router *router, RpcCall *call, const char **ret_tenant, Error *err) {
  *ret_tenant = NULL;
  if (!router->tenants)
    return 0;
  Tenant tenant;
  if (tenants_find(router->tenants, rpc_call_metadata(call, "authorization"), &tenant, err) != 0)
    return -1;
  if (!tenant.admin && str_starts_with(rpc_call_path(call), ADMIN_PREFIX))
    return error_set(err, ERROR_PERMISSION_DENIED, "tenant %s is no administrator", tenant.name);
  *ret_tenant = tenant.name;
  return 0;
}
