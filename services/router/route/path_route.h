/* Paths that name a sandbox: PREFIX/NAMESPACE/SANDBOX/PORT/REST.
 *
 * A URL has one meaning here, and the one that browsers and proxies see: the four parts count as they are written,
 * never decoded, and a rest that would leave the sandbox's folder when somebody cleans or decodes it is refused. What
 * is left goes on as it is. Pure.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_PATH_ROUTE_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_PATH_ROUTE_H_

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "services/router/route/route_name.h"

enum { PATH_ROUTE_PREFIX_MAX = 128 };

/* text: "" for none, or "/a/b" of letters, digits, "-", "_", "~" and dots within. 0 or -1. */
int path_route_check_prefix(const char *text, Error *err) MUST_CHECK;

/* path: raw, with its query. ROUTE_NONE when it is not below prefix ("" has nothing below it); ROUTE_FOUND or
 * ROUTE_FOLDER with *ret_name and *ret_rest, the part of path behind the port; -1 with *ret_detail, of a 400. */
int path_route_parse(const char *prefix, const char *path, RouteName *ret_name, const char **ret_rest,
                     const char **ret_detail) MUST_CHECK;

/* The folder of a port, or of the whole sandbox (port 0), without a slash behind it. */
void path_route_folder(Buf *out, const char *prefix, const RouteName *name);

#endif
