/* A command on its way: its bytes, and who waits for the reply. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_REQUEST_H_
#define SANDPLANE_LIB_REDIS_REDIS_REQUEST_H_

#include "lib/base/arena.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_scripts.h"

typedef struct RedisRequest {
  struct RedisRequest *next;
  RedisFn fn;
  void *arg;
  RedisScript script;      /* source NULL: a plain command */
  RedisKnownScript *known; /* by the server it was given to last */
  size_t tail;             /* scripts: where the part behind the digest begins */
  uint64_t number;         /* on this connection, in the order of sending */
  bool wait;               /* a WAIT of our own */
  int slot;                /* of a cluster; see redis_slots.h */
  int hops;                /* how often a cluster sent it elsewhere */
  Arena *kept;             /* holds kept_reply while replicas are waited for */
  const RedisReply *kept_reply;
  size_t argc;
  size_t len;
  char bytes[];
} RedisRequest;

RedisRequest *redis_request_command(RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens);
RedisRequest *redis_request_script(RedisFn fn, void *arg, const RedisScript *script, const char *digest, size_t n_keys,
                                   size_t argc, const char *const *argv, const size_t *lens);
/* Puts the server's lineage into a fenced script's last argument. */
void redis_request_fence(RedisRequest *r, const char *lineage);
/* Keeps a copy of the reply. */
void redis_request_keep(RedisRequest *r, const RedisReply *reply);
/* Calls fn and frees it. */
void redis_request_finish(RedisRequest *r, const RedisReply *reply, const Error *err);
void redis_request_free(RedisRequest *r);

#endif
