/* Clients of the HTTPS listener that are not let in yet: their handshakes, bounded in number and in time.
 *
 * Who stalls is given up after a few seconds. Above the bound, and where there is no room for one more connection, the
 * one that has waited longest makes way, so that those who stall on purpose cannot keep others out by being there. On
 * the loop's thread.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTPS_SHAKE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTPS_SHAKE_H_

#include "services/router/http/http_conn.h"

typedef struct HttpsShakes HttpsShakes;

/* agreed takes the arrival, or leaves it, which ends it. failed: one is gone. */
typedef struct HttpsShakeHandlers {
  void (*agreed)(void *arg, const HttpArrival *arrival);
  void (*failed)(void *arg);
} HttpsShakeHandlers;

HttpsShakes *https_shakes_new(Router *router, const HttpsShakeHandlers *handlers, void *arg);
/* Without a word to the handlers. NULL-safe. */
void https_shakes_free(HttpsShakes *shakes);
/* Owns fd. May call failed, for another one. */
void https_shakes_begin(HttpsShakes *shakes, int fd, const char *peer_ip);
/* Ends the one that has waited longest, and calls failed for it; false: there is none. */
bool https_shakes_drop_oldest(HttpsShakes *shakes);

#endif
