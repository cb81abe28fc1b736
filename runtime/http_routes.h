/* The larger routes, each in a file of its own. */
#ifndef SANDPLANE_RUNTIME_HTTP_ROUTES_H_
#define SANDPLANE_RUNTIME_HTTP_ROUTES_H_

#include "runtime/http_conn.h"

extern const HttpHandler HTTP_EXECUTE;
extern const HttpHandler HTTP_UPLOAD;

/* {"message": message} */
void http_respond_message(HttpConn *c, int status, const char *message);

#endif
