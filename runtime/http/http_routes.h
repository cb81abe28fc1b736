/* The larger routes, each in a file of its own. */
#ifndef SANDPLANE_RUNTIME_HTTP_HTTP_ROUTES_H_
#define SANDPLANE_RUNTIME_HTTP_HTTP_ROUTES_H_

#include "runtime/http/http_conn.h"

extern const HttpHandler HTTP_EXECUTE;
extern const HttpHandler HTTP_LIST;
extern const HttpHandler HTTP_UPLOAD;

/* {"message": message} */
void http_respond_message(HttpConn *c, int status, const char *message);
/* Any file error: outside of the workspace is 403, and so is what the user may not do, which is named; the rest is the
 * route's own word. */
void http_respond_path_error(HttpConn *c, const Error *err, int status, const char *message);
/* The part of a path behind its route, unquoted once more, as the contract has it. The caller frees. */
char *http_path_behind(const char *path, const char *route);

#endif
