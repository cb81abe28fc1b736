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
/* A new connection to this port waits, perhaps for these: a program that serves one connection after the other goes on
 * when they end. So do those of other loops, soon. */
void upstream_pool_yield(UpstreamPool *pool, const ConnKey *key);

#endif
