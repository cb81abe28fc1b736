/* A command on its way: with copies of its arguments, and who waits for the reply. Servers of a cluster hand it on to
 * one another.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_REQUEST_H_
#define SANDPLANE_LIB_REDIS_REDIS_REQUEST_H_

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_shared.h"

enum { REDIS_DIGEST_LEN = 40 };

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
/* Argument i of those that are known when it is sent; borrowed. */
void redis_request_set(RedisRequest *r, size_t i, const char *text, size_t len);
/* Calls fn and frees it. */
void redis_request_finish(RedisRequest *r, const RedisReply *reply, const Error *err);
/* The same from the loop (redis_shared.h), for a failure. */
void redis_request_fail_later(RedisRequest *r, RedisShared *shared, const Error *err);
/* The oldest of a list, taken out of it; NULL: it is empty. */
RedisRequest *redis_request_take(List *list);

#endif
