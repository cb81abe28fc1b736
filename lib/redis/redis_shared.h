/* What the parts of one client have in common: its settings, its TLS, who hears what happens to it, and the callbacks
 * that are owed a failure, which they get from the loop and never inside their caller's call. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SHARED_H_
#define SANDPLANE_LIB_REDIS_REDIS_SHARED_H_

#include "lib/redis/redis.h"

typedef struct RedisShared {
  Loop *loop;
  RedisConfig config; /* a copy: every text is there, and every default */
  struct Tls *tls;    /* as loaded for the last connection; NULL: none was in TLS */
  RedisEvents events; /* any may be NULL */
  void *events_arg;
  LoopTimer *timer;
  struct Owed *owed, **owed_end; /* oldest first */
} RedisShared;

RedisShared *redis_shared_new(Loop *loop, const RedisConfig *config);
/* NULL-safe. */
void redis_shared_free(RedisShared *shared);

/* fn(arg, NULL, err), soon. fn NULL: nobody wants to know. */
void redis_shared_owe(RedisShared *shared, RedisFn fn, void *arg, const Error *err);
/* Runs what is owed, and what that adds. */
void redis_shared_drain(RedisShared *shared);

#endif
