/* See authz.h. */
#include "lib/authz/authz.h"

#include <string.h>

#include "lib/base/str.h"

const char *authz_role_name(AuthzRole role) {
  return role == AUTHZ_ADMIN ? "admin" : "user";
}

static bool is_all(const AuthzPrincipal *who) {
  return !who || who->role == AUTHZ_ADMIN || str_equal(who->namespaces, "*");
}

bool authz_may_use(const AuthzPrincipal *who, const char *ns) {
  if (is_all(who))
    return true;
  size_t len = strlen(ns);
  for (const char *at = who->namespaces; *at;) {
    size_t n = strcspn(at, ",");
    if (n == len && memcmp(at, ns, n) == 0)
      return true;
    at += n + (at[n] == ',');
  }
  return false;
}

int authz_check_namespace(const AuthzPrincipal *who, const char *ns, Error *err) {
  if (authz_may_use(who, ns))
    return 0;
  return error_set(err, ERROR_PERMISSION_DENIED, "tenant %s may not use namespace %s", who->tenant, ns);
}

bool authz_may_see(const AuthzPrincipal *who, const char *tenant) {
  return !who || who->role == AUTHZ_ADMIN || str_equal(who->tenant, tenant);
}

bool authz_told(const char *tenant, const char *role, const char *namespaces, AuthzPrincipal *ret_who) {
  *ret_who = (AuthzPrincipal){.tenant = tenant,
                              .key_id = "",
                              .role = str_equal(role, "admin") ? AUTHZ_ADMIN : AUTHZ_USER,
                              .namespaces = namespaces ? namespaces : "*"};
  return tenant != NULL;
}
