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

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_shared.h"

/* What a client should wait before it tries again when Redis is away: about a restart. */
enum { REDIS_RETRY_AFTER_MS = 500 };

/* A command on its way, with copies of its arguments, and who waits for the reply. */
typedef struct RedisRequest {
  ListLink link;
  RedisFn fn;
  void *arg;
  RedisScript script; /* source NULL: a plain command */
  char n_keys[24];
  struct Script *known; /* of the server it was given to last */
  uint64_t number;      /* on this connection, in the order of sending */
  bool wait;            /* a WAIT of our own */
  int hops;             /* how often a cluster sent it elsewhere */
  Arena *kept;          /* holds kept_reply while replicas are waited for */
  const RedisReply *kept_reply;
  size_t bytes; /* at most, as it is sent by digest */
  size_t argc;
  const char **argv; /* of a script: argv[1] and what fences it are known when it is sent */
  size_t *lens;
} RedisRequest;

/* As redis_command and redis_script. */
RedisRequest *redis_request_new(RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens);
RedisRequest *redis_request_script(RedisFn fn, void *arg, const RedisScript *script, size_t n_keys, size_t argc,
                                   const char *const *argv, const size_t *lens);
/* Calls fn and frees it. */
void redis_request_finish(RedisRequest *r, const RedisReply *reply, const Error *err);
/* The same from the loop (redis_shared.h), for a failure. */
void redis_request_fail_later(RedisRequest *r, RedisShared *shared, const Error *err);
/* The oldest of a list, taken out of it; NULL: it is empty. */
RedisRequest *redis_request_take(List *list);

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
