/* A name's addresses, looked up without waiting for them on the loop: getaddrinfo in a thread of its own, which knows
 * /etc/hosts and whatever else the machine goes by. On the loop's thread. */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_LOOKUP_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_LOOKUP_H_

#include <stddef.h>

#include "lib/base/address.h"
#include "lib/loop/loop.h"

typedef struct BackendLookup BackendLookup;

/* Each found: a number in host, and name's port. n 0: none, and why says it; else why is NULL. */
typedef void BackendFound(void *arg, const Address *found, size_t n, const char *why);

/* fn runs later, once, and the lookup is gone. */
BackendLookup *backend_lookup(Loop *loop, const Address *name, BackendFound *fn, void *arg);
/* fn will not run; the thread ends by itself. NULL-safe; not after fn has run, nor in it. */
void backend_lookup_free(BackendLookup *lookup);

#endif
