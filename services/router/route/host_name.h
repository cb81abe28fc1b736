/* The names that a request's Host may have: which are read as what, and which a stranger's DNS can make a browser send.
 *
 * DNS rebinding: a page of evil.example whose name then leads to 127.0.0.1 is of one origin with what listens there,
 * and only Host tells. Names that nobody outside can give are always served: addresses, localhost, names without a dot,
 * and those below svc, cluster.local, internal and local. Pure.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_HOST_NAME_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_HOST_NAME_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

enum { HOST_NAME_MAX_LEN = 253 };

/* Of a Host field: in lower case, without port and the dot of a full name; an address of IPv6 in its brackets. 0, or
 * -1: none, or bytes that no name or address has, such as those of a name in another script. */
int host_name_of(const char *field, size_t len, char ret_name[HOST_NAME_MAX_LEN + 1]) MUST_CHECK;

/* list: "" or names by commas; "*.example.com" is all below it, "*" any. 0 or -1. */
int host_name_check_list(const char *list, Error *err) MUST_CHECK;
/* name: as host_name_of gives it. */
bool host_name_is_listed(const char *list, const char *name);
bool host_name_is_private(const char *name);

#endif
