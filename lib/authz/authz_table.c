/* See authz_table.h. */
#include "lib/authz/authz_table.h"

#include "lib/base/str.h"

static const char *const PATHS[] = {
#define X(name, path) [AUTHZ_##name] = (path),
    AUTHZ_METHODS(X)
#undef X
};

/* No default: the compiler tells which method has no row. */
AuthzNeed authz_need(AuthzMethod method) {
  switch (method) {
  case AUTHZ_SANDBOX_GET_SANDBOX:
  case AUTHZ_SANDBOX_LIST_SANDBOXES:
  case AUTHZ_SANDBOX_WATCH_SANDBOXES:
  case AUTHZ_SANDBOX_UPDATE_SANDBOX:
  case AUTHZ_SANDBOX_DELETE_SANDBOX:
  case AUTHZ_SANDBOX_BATCH_DELETE_SANDBOXES:
  case AUTHZ_SANDBOX_EXEC:
  case AUTHZ_SANDBOX_EXEC_STREAM:
  case AUTHZ_SANDBOX_READ_FILE:
  case AUTHZ_SANDBOX_WRITE_FILE:
  case AUTHZ_SANDBOX_LIST_FILES:
  case AUTHZ_SANDBOX_STAT:
  case AUTHZ_SANDBOX_REMOVE_FILE:
  case AUTHZ_HTTP:
    return AUTHZ_NEEDS_OWNER;
  case AUTHZ_SANDBOX_CREATE_SANDBOX:
  case AUTHZ_SANDBOX_BATCH_CREATE_SANDBOXES:
  case AUTHZ_TEMPLATE_GET_TEMPLATE:
  case AUTHZ_TEMPLATE_LIST_TEMPLATES:
  case AUTHZ_POOL_GET_POOL:
  case AUTHZ_POOL_LIST_POOLS:
    return AUTHZ_NEEDS_NAMESPACE;
  case AUTHZ_TEMPLATE_APPLY_TEMPLATE:
  case AUTHZ_TEMPLATE_DELETE_TEMPLATE:
  case AUTHZ_POOL_APPLY_POOL:
  case AUTHZ_POOL_SCALE_POOL:
  case AUTHZ_POOL_DELETE_POOL:
  case AUTHZ_IMAGE_IMPORT_IMAGE:
  case AUTHZ_IMAGE_LIST_IMAGES:
  case AUTHZ_QUOTA_APPLY_QUOTA:
  case AUTHZ_QUOTA_GET_QUOTA:
  case AUTHZ_QUOTA_LIST_QUOTAS:
  case AUTHZ_QUOTA_DELETE_QUOTA:
  case AUTHZ_N_METHODS:
    break;
  }
  return AUTHZ_NEEDS_ADMIN;
}

AuthzMethod authz_method_of(const char *path) {
  for (size_t i = 0; i < ARRAY_LEN(PATHS); i++)
    if (str_equal(path, PATHS[i]))
      return (AuthzMethod)i;
  return AUTHZ_N_METHODS;
}

const char *authz_method_path(AuthzMethod method) {
  return method < ARRAY_LEN(PATHS) ? PATHS[method] : NULL;
}

int authz_check_method(const AuthzPrincipal *who, const char *path, Error *err) {
  if (!who || who->role == AUTHZ_ADMIN || authz_need(authz_method_of(path)) != AUTHZ_NEEDS_ADMIN)
    return 0;
  return error_set(err, ERROR_PERMISSION_DENIED, "tenant %s is no administrator", who->tenant);
}
