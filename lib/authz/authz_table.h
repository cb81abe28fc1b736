/* Who may call what: the one table, for all doors.
 *
 * Every method of the public API has a row: the list of methods is made from the .proto files, and a method that the
 * table does not name does not compile. docs/security.md shows the same table to people; a test compares.
 */
#ifndef SANDPLANE_LIB_AUTHZ_AUTHZ_TABLE_H_
#define SANDPLANE_LIB_AUTHZ_AUTHZ_TABLE_H_

#include "lib/authz/authz.h"
#include "lib/authz/authz_methods.h"

typedef enum AuthzMethod {
#define X(name, path) AUTHZ_##name,
  AUTHZ_METHODS(X)
#undef X
      AUTHZ_HTTP, /* a request to a port of a sandbox, at the HTTP door */
  AUTHZ_N_METHODS,
} AuthzMethod;

typedef enum AuthzNeed {
  AUTHZ_NEEDS_OWNER,     /* the sandbox must be one's own, in a namespace one may use; lists show no others */
  AUTHZ_NEEDS_NAMESPACE, /* any object of a namespace one may use */
  AUTHZ_NEEDS_ADMIN,
} AuthzNeed;

AuthzNeed authz_need(AuthzMethod method);
/* "/sandplane.v1.SandboxService/Exec"; AUTHZ_N_METHODS: it is none of the API. */
AuthzMethod authz_method_of(const char *path);
/* NULL for AUTHZ_HTTP. */
const char *authz_method_path(AuthzMethod method);

/* Whether the role allows the method at all; on which objects is judged where they are known. -1: PERMISSION_DENIED.
 * What is no method of the API is an administrator's to call. */
int authz_check_method(const AuthzPrincipal *who, const char *path, Error *err) MUST_CHECK;

#endif
