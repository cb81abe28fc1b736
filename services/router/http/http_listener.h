/* An HTTP listener of one loop, plain or in TLS: accepts up to --max-connections, of all loops and listeners, and lets
 * them go in order at the end. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_LISTENER_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_LISTENER_H_

#include "services/router/router.h"

/* Where it listens. */
typedef struct HttpDoor {
  const char *flag, *address; /* the flag without dashes */
  bool tls;                   /* that of router->all */
} HttpDoor;

typedef struct HttpListener HttpListener;

/* NULL and err when the address cannot be bound. first: that of another loop, with which this one
 * shares the port; NULL: it is the first, and nobody may have the port. */
HttpListener *http_listener_new(Router *router, const HttpDoor *door, const HttpListener *first, Error *err);
/* No new connections but those that are there already, each for one request; the requests under way may end within
 * grace_ms, then they are cut. done runs when nothing is left; never from inside. */
void http_listener_drain(HttpListener *listener, int64_t grace_ms, void (*done)(void *arg), void *arg);
void http_listener_free(HttpListener *listener); /* NULL-safe */

#endif
