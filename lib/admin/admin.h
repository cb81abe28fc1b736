/* The admin listener of every service: GET /metrics, /healthz, /readyz (libevent's evhttp).
 *
 * /healthz is 200 "ok" while the loop turns; /readyz is 200 "ok" or 503 with the reason.
 */
#ifndef SANDPLANE_LIB_ADMIN_ADMIN_H_
#define SANDPLANE_LIB_ADMIN_ADMIN_H_

#include "lib/base/error.h"
#include "lib/base/metrics.h"
#include "lib/loop/loop.h"

typedef struct Admin Admin;

/* address: "host:port". NULL and err when it cannot be bound. metrics may be written to meanwhile. */
Admin *admin_new(Loop *loop, const char *address, Metrics *metrics, Error *err);
void admin_free(Admin *admin);
/* A further address, which serves the same. */
int admin_listen(Admin *admin, const char *address, Error *err) MUST_CHECK;
/* The port of an address as admin_new takes it; -1: it is none. */
int admin_port(const char *address);
/* NULL: ready. Otherwise a short reason; kept by reference until the next call. */
void admin_set_unready(Admin *admin, const char *reason);
/* Called before each scrape, to set gauges that are computed then. */
void admin_on_scrape(Admin *admin, void (*fn)(void *arg), void *arg);

#endif
