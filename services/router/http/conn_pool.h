/* Which of the connections into sandboxes are idle, and which of them goes first. No I/O, no clock.
 *
 * A connection belongs to one port of one claim: the claim's uid and its route are part of the key, and what the state
 * says last of a sandbox (conn_pool_settle) ends all that were made before under another. The pool owns none of them:
 * what it drops it hands to close(). Times are the caller's, in milliseconds, and never go back. One thread each; pools
 * of several threads may have one bound together.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_CONN_POOL_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_CONN_POOL_H_

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/list.h"

typedef struct ConnPool ConnPool;

typedef struct ConnKey {
  const char *ns, *id;
  const char *uid;   /* of the claim; empty: an object without one */
  const char *route; /* where the sandbox is */
  uint16_t port;
} ConnKey;

/* Stands inside its owner; zeroed: in no pool. */
typedef struct PooledConn {
  ListLink of_site, of_all;
  struct ConnSite *site;
  uint16_t port;
  int64_t since_ms;
} PooledConn;

/* How long a port is known to serve one connection at a time, and how many ports are, the latest. */
enum { CONN_POOL_SERIAL_MS = 5 * 60 * 1000, CONN_POOL_SERIAL_MAX = 1024 };

typedef struct ConnPoolLimits {
  int64_t per_port, in_all; /* 0: none is kept */
  atomic_llong *count;      /* of all pools that in_all is for; NULL: this one alone */
  int64_t idle_ms;
  int64_t quiet_ms; /* none is handed out before it was idle for so long; 0: at once */
} ConnPoolLimits;

/* close: has left the pool already, and is to be ended; it must not call the pool. */
ConnPool *conn_pool_new(ConnPoolLimits limits, void (*close)(void *arg, PooledConn *conn), void *arg);
/* NULL-safe; closes all. */
void conn_pool_free(ConnPool *pool);

/* The one that has been idle longest, if that is quiet_ms or more; it is the caller's again. NULL: none. A program that
 * announces less than it sends may send the rest a moment later; until then nobody can tell it from the answer to the
 * next request, and who watches the idle ones removes such a one before it is handed out. */
PooledConn *conn_pool_take(ConnPool *pool, const ConnKey *key, int64_t now_ms);
/* May close another, the longest idle, or this one: where the limits are 0, the port serves one connection at a time,
 * the sandbox's others are another claim's, or all that are there are younger than quiet_ms, since none would ever grow
 * old enough otherwise. */
void conn_pool_put(ConnPool *pool, const ConnKey *key, PooledConn *conn, int64_t now_ms);
/* It has ended by itself. */
void conn_pool_remove(ConnPool *pool, PooledConn *conn);

/* What the state says of the sandbox now: closes those of another uid or route. */
void conn_pool_settle(ConnPool *pool, const ConnKey *key);
/* There is no such sandbox, or nobody has it: closes all of it. */
void conn_pool_forget(ConnPool *pool, const char *ns, const char *id);
/* Closes those of one port; how many. */
size_t conn_pool_clear(ConnPool *pool, const ConnKey *key);
/* The port serves one connection at a time: an idle one would hold up all others. Closes its own, and keeps none for
 * CONN_POOL_SERIAL_MS. */
void conn_pool_note_serial(ConnPool *pool, const ConnKey *key, int64_t now_ms);
/* Closes those that were idle for too long; how long until the next is, -1: none is there. */
int64_t conn_pool_expire(ConnPool *pool, int64_t now_ms);
size_t conn_pool_count(const ConnPool *pool);

#endif
