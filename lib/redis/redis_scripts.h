/* What a client knows of the scripts it has used: their digests, and whether its connection has sent their
 * text.
 *
 * A script's first call on a connection is sent as EVAL, which also loads it, later ones by digest. So a
 * server that has just started, or a replica that took over, knows each script before it is called by digest,
 * and the order of pipelined calls is kept.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SCRIPTS_H_
#define SANDPLANE_LIB_REDIS_REDIS_SCRIPTS_H_

#include "lib/redis/redis.h"

typedef struct RedisKnownScript {
  struct RedisKnownScript *next;
  const char *source;
  size_t source_len;
  char digest[41];
  uint64_t loaded_at; /* number of the request on this connection that carried the text; 0: none did */
} RedisKnownScript;

/* Redis' name for it. */
void redis_scripts_digest(const RedisScript *script, char out[41]);
/* Finds it by the address of its text, or adds it. */
RedisKnownScript *redis_scripts_find(RedisKnownScript **list, const RedisScript *script);
/* A new connection, on which nothing was sent yet. */
void redis_scripts_forget(RedisKnownScript *list);
void redis_scripts_free(RedisKnownScript *list);

#endif
