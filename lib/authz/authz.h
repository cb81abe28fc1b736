/* Who calls, and what that allows: the same answer at every door.
 *
 * A principal is a tenant, a role and the namespaces it may use. Doors find one by a credential (authz_sources.h) and
 * ask authz_table.h what a method needs; services behind the doors are told the principal in metadata, and judge the
 * objects. Where nobody is told apart there is no principal, NULL, and everything is allowed.
 *
 * Two roles are enough: whoever looks on without using is a user of another tenant in nobody's namespaces.
 */
#ifndef SANDPLANE_LIB_AUTHZ_AUTHZ_H_
#define SANDPLANE_LIB_AUTHZ_AUTHZ_H_

#include <stdbool.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

typedef enum AuthzRole { AUTHZ_USER, AUTHZ_ADMIN } AuthzRole;

/* "user", "admin". */
const char *authz_role_name(AuthzRole role);

enum { AUTHZ_NAMESPACES_MAX = 64 };

typedef struct AuthzPrincipal {
  const char *tenant; /* a DNS label */
  const char *key_id; /* of the API key; empty: it came by another credential */
  AuthzRole role;
  const char *namespaces; /* "*": all; else DNS labels joined by commas, at most AUTHZ_NAMESPACES_MAX */
} AuthzPrincipal;

/* Administrators may use every namespace, whatever they were given. */
bool authz_may_use(const AuthzPrincipal *who, const char *ns);
/* The same as an answer: PERMISSION_DENIED. It says nothing about what is in the namespace. */
int authz_check_namespace(const AuthzPrincipal *who, const char *ns, Error *err) MUST_CHECK;
/* Whether a sandbox of this tenant (empty: nobody's yet) is there for them. For all others it is as if it was not. */
bool authz_may_see(const AuthzPrincipal *who, const char *tenant);

/* Metadata in which the router tells those behind it. It takes none of them from a caller. */
#define AUTHZ_METADATA_TENANT "sandplane-tenant"
#define AUTHZ_METADATA_ROLE "sandplane-role"
#define AUTHZ_METADATA_NAMESPACES "sandplane-namespaces"

/* From the values of these, which are kept by reference; NULL: not sent. False: callers are not told apart. A tenant
 * without a role, as a router of an older release sends it, is a user of all namespaces. */
bool authz_told(const char *tenant, const char *role, const char *namespaces, AuthzPrincipal *ret_who);

#endif
