/* What is said on a new connection before it may be used, and how the answers are taken: who we are, that the server is
 * a master, up, and that its file is one to build upon (redis_info.h). Bytes go to a buffer of the caller, replies come
 * from it; no sockets here. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_GREETING_H_
#define SANDPLANE_LIB_REDIS_REDIS_GREETING_H_

#include "lib/base/buf.h"
#include "lib/redis/redis_conn.h"

typedef enum RedisGreet {
  REDIS_GREET_MORE,  /* answers are still to come */
  REDIS_GREET_LATER, /* redis_greeting_look after REDIS_GREET_LOOK_MS */
  REDIS_GREET_DONE,
} RedisGreet;

/* A rewrite of a small file takes 100 ms, most of which the server needs to notice that it has ended. */
enum { REDIS_GREET_LOOK_MS = 20 };

/* All zeros before the first redis_greeting_begin. Read lineage when it is DONE with a master; the rest is its own. */
typedef struct RedisGreeting {
  char lineage[REDIS_LINEAGE_LEN + 1];
  RedisPeer peer;
  int expected[4]; /* of the answers to come, oldest first */
  size_t n_expected;
  bool asked;        /* for a rewrite, on this connection */
  char refusal[200]; /* what the server said to that */
} RedisGreeting;

/* Begins anew. -1: the password cannot be read. */
MUST_CHECK int redis_greeting_begin(RedisGreeting *g, const RedisConfig *config, RedisPeer peer, Buf *out, Error *err);
/* One reply more. RedisGreet, or -1: this server will not do. */
MUST_CHECK int redis_greeting_take(RedisGreeting *g, const RedisReply *reply, Buf *out, Error *err);
void redis_greeting_look(RedisGreeting *g, Buf *out);

#endif
