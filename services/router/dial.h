/* A connection to a port of a Pod, made without waiting for it on the loop. */
#ifndef SANDPLANE_SERVICES_ROUTER_DIAL_H_
#define SANDPLANE_SERVICES_ROUTER_DIAL_H_

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

typedef struct Dial Dial;

/* Whether a route is a Pod's ("pod:IP"), whose ports are reached as they are. */
bool dial_is_pod(const char *route);
/* allow_local: also at an address that means this machine. fn runs later, once: with a connected descriptor that it
 * owns, or -1 and errno. How long that may take is the caller's timer. */
Dial *dial_new(Loop *loop, const char *pod_route, uint16_t port, bool allow_local, void (*fn)(void *arg, int fd),
               void *arg);
/* fn will not run. NULL-safe; not after fn has run. */
void dial_free(Dial *dial);

#endif
