/* The replicas of a service: which there are, a connection to each, and which takes the next request. On the loop's
 * thread.
 *
 * Targets are "host:port", "[v6]:port" or "unix:/path", with commas; no host and "localhost" are 127.0.0.1. A name
 * stands for all of its addresses. It is looked up again as soon as a connection fails or is left by its replica, and
 * what the answer no longer has is used no more; while no answer comes the old one counts.
 *
 * Each replica has a connection, which is made again at once, and after failures with a growing pause. The next request
 * goes where the fewest are under way.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_POOL_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_POOL_H_

#include "services/router/backend/backend_conn.h"
#include "services/router/backend/backend_lookup.h"

typedef struct BackendPool BackendPool;

/* One that could not have a connection yet. */
typedef struct BackendWaiter BackendWaiter;
struct BackendWaiter {
  ListLink link;
  /* It is off the list; worth asking again. */
  void (*ready)(BackendWaiter *waiter);
};

/* How names are looked up: backend_lookup and backend_lookup_free, but in tests. */
typedef struct BackendNames {
  BackendLookup *(*start)(Loop *loop, const Address *name, BackendFound *fn, void *arg);
  void (*free)(BackendLookup *lookup);
} BackendNames;

typedef enum BackendPick {
  BACKEND_PICKED,
  BACKEND_WAIT, /* a connection is on its way, or all are full: backend_pool_wait */
  BACKEND_AWAY, /* the last attempt with each has failed */
} BackendPick;

/* What is no address among targets is left out. names: NULL for the machine's. streams: as backend_conn_new. */
BackendPool *backend_pool_new(Loop *loop, const char *targets, const BackendNames *names,
                              const Http2ClientHandlers *streams);
/* With no waiter left. Requests under way are not told. NULL-safe; not in its own handlers. */
void backend_pool_free(BackendPool *pool);
/* *ret_session has room for a request now; *ret_authority is valid as long as the pool. */
BackendPick backend_pool_pick(BackendPool *pool, Http2Session **ret_session, const char **ret_authority);
/* ready runs from the loop, once, when picking may have another outcome. */
void backend_pool_wait(BackendPool *pool, BackendWaiter *waiter);
/* Why the last connection failed: "127.0.0.1:7401: Connection refused"; "": none did. */
const char *backend_pool_why(const BackendPool *pool);

#endif
