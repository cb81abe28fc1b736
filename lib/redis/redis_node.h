/* One server: requests in the order of their replies; those that are not sent wait for a connection.
 *
 * A script's first call on a connection is sent as EVAL, which also loads it, later ones by digest. So a server that
 * has just started, or a replica that took over, knows each script before it is called by digest, and the order of
 * pipelined calls is kept.
 *
 * Durable requests share a WAIT: it stands behind all that one turn of the loop has sent, and their replies are kept
 * until its own has come. Redis answers nothing behind a WAIT before it is done, so a service whose replicas are
 * slow is slow as a whole, for at most wait_ms.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_NODE_H_
#define SANDPLANE_LIB_REDIS_REDIS_NODE_H_

#include "lib/redis/redis_request.h"

/* What a client should wait before it tries again when Redis is away: about a restart. */
enum { REDIS_RETRY_AFTER_MS = 500 };

typedef struct RedisNode RedisNode;

typedef struct RedisNodeHandlers {
  void (*on_state)(void *arg, RedisNode *node, bool connected);
  /* A cluster's server says that the request is another's business (MOVED, ASK); takes it over. NULL: no cluster. */
  void (*on_elsewhere)(void *arg, RedisNode *node, RedisRequest *r, const char *text);
  /* Why it has no address yet. NULL: it always has one. */
  const char *(*why)(void *arg);
} RedisNodeHandlers;

/* address NULL: redis_node_redirect will name it. shared must outlive it. */
RedisNode *redis_node_new(RedisShared *shared, const char *address, const RedisNodeHandlers *handlers, void *arg);
/* Fails what is under way with CANCELLED, inside, and whatever is asked from then on. */
void redis_node_cancel(RedisNode *node);
/* After redis_node_cancel. NULL-safe. */
void redis_node_free(RedisNode *node);
void redis_node_submit(RedisNode *node, RedisRequest *r);
void redis_node_redirect(RedisNode *node, const char *address);
/* The oldest that waits for a connection is taken back; NULL: none does. */
RedisRequest *redis_node_take_unsent(RedisNode *node);
/* It owes nothing to anybody. */
bool redis_node_idle(const RedisNode *node);
bool redis_node_connected(const RedisNode *node);

#endif
