/* Host names that name a sandbox: PORT-SANDBOX.DOMAIN, and PORT-SANDBOX--NAMESPACE.DOMAIN where it is not default.
 *
 * So each port has an origin of its own. All of it is one label, which a wildcard of DNS and of a certificate covers:
 * at most 63 characters, no dot. The last "--" of a label is where the namespace begins, so that each has one meaning;
 * a sandbox that has "--" in its own name is said with its namespace, default as well. Pure.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_HOST_ROUTE_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_HOST_ROUTE_H_

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "services/router/route/route_name.h"

/* text: "" for none, or a domain of lower case, "sandboxes.example.com" or "localhost". 0 or -1. */
int host_route_check_domain(const char *text, Error *err) MUST_CHECK;

/* host: as host_name_of gives it. ROUTE_NONE: not below domain, or what is below it does not begin with a number and
 * "-"; ROUTE_FOUND with *ret_name; -1 with *ret_detail, of a 400. */
int host_route_parse(const char *domain, const char *host, RouteName *ret_name, const char **ret_detail) MUST_CHECK;

#endif
