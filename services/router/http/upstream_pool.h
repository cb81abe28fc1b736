/* Connections into sandboxes that wait for another request: the sockets of a ConnPool, on the loop. Each loop has its
 * own.
 *
 * One that waits is watched: when its peer closes it, or says anything, it is ended. Nothing is ever read for a later
 * exchange.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_UPSTREAM_POOL_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_UPSTREAM_POOL_H_

#include "lib/loop/stream.h"
#include "services/router/http/conn_pool.h"
#include "services/router/router.h"

typedef struct UpstreamPool UpstreamPool;

/* Limits are those of router->config. */
UpstreamPool *upstream_pool_new(Router *router);
void upstream_pool_free(UpstreamPool *pool); /* NULL-safe */
/* Ends all, and keeps none from now on. */
void upstream_pool_shut(UpstreamPool *pool);

/* The state has this claim, route and port for a sandbox: a connection to there that is open and has been silent for
 * the quiet time, which is then the caller's, or NULL. Those of the sandbox under another claim or route are ended.
 * wanted false: only that. */
Stream *upstream_pool_take(UpstreamPool *pool, const ConnKey *key, bool wanted);
/* Takes the stream over, which may be in a handler of its own. */
void upstream_pool_give(UpstreamPool *pool, const ConnKey *key, Stream *stream);
/* The state has nobody who may reach the sandbox. */
void upstream_pool_forget(UpstreamPool *pool, const char *ns, const char *id);

/* A request that has left by a new connection, and whose answer has not begun. Stands inside its owner; zeroed: none.
 */
typedef struct UpstreamWait {
  UpstreamPool *pool; /* NULL: none */
  ListLink link;
  ConnKey key;
  size_t n_looks;
  int64_t due_ms;      /* of the next */
  int64_t made_way_ms; /* when idle connections ended for it; 0: none did */
} UpstreamWait;

/* A program that serves one connection after the other does not come to this one before the idle ones end. So they do
 * when it has waited for a while, and again and again, in all loops. The texts of key outlive the wait. */
void upstream_pool_wait(UpstreamPool *pool, UpstreamWait *wait, const ConnKey *key);
/* It is over, for one that none may be as well. answered: by the program; if that was just after idle connections had
 * made way, the port is one of such a program, and none is kept for it from then on. */
void upstream_pool_waited(UpstreamWait *wait, bool answered);

#endif
