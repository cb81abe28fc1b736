/* The TLS of --https-address: its settings judged, its files loaded again when they change, and what is told of that.
 * One for all loops. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTPS_TLS_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTPS_TLS_H_

#include "lib/crypto/tls.h"
#include "services/router/router.h"

typedef struct HttpsTls HttpsTls;

/* Settings that exclude each other, files that cannot be used: -1, one line. */
int https_tls_check(const RouterConfig *config, Error *err) MUST_CHECK;
/* On the service's loop, which looks after the files. NULL and err: they cannot be used. */
HttpsTls *https_tls_new(Service *service, Error *err);
void https_tls_free(HttpsTls *tls); /* NULL-safe */
/* For any loop's connections. */
Tls *https_tls_of(const HttpsTls *tls);

#endif
