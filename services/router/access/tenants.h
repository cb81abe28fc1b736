/* Who calls over gRPC: tenants, told apart by bearer tokens in a file.
 *
 * The file has a line for each token, "TENANT TOKEN" or "TENANT TOKEN admin"; blanks around are dropped, "#" starts a
 * comment line. A tenant may have several tokens, so that one can be replaced by the next. Tokens are never logged or
 * passed on.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_TENANTS_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_TENANTS_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

enum {
  TENANTS_MAX = 1000,
  TENANTS_MIN_TOKEN = 16, /* bytes; shorter ones can be guessed */
  TENANTS_MAX_TOKEN = 512,
};

typedef struct Tenants Tenants;

typedef struct Tenant {
  const char *name; /* a DNS label; the table's */
  bool admin;       /* may change quotas */
} Tenant;

/* NULL: the file cannot be read or a line is malformed; err names option and line. */
Tenants *tenants_read(const char *path, Error *err);
void tenants_free(Tenants *tenants);
/* authorization: the value of that header; NULL: none. 0, or -1 with UNAUTHENTICATED. Takes as long for a wrong token
 * as for a right one. */
int tenants_find(const Tenants *tenants, const char *authorization, Tenant *ret_tenant, Error *err) MUST_CHECK;

#endif
