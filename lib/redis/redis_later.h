/* Callbacks owed a failure, which they get from the loop and never inside their caller's call. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_LATER_H_
#define SANDPLANE_LIB_REDIS_REDIS_LATER_H_

#include "lib/redis/redis.h"

typedef struct RedisLater RedisLater;

RedisLater *redis_later_new(Loop *loop);
void redis_later_add(RedisLater *later, RedisFn fn, void *arg, const Error *err);
/* Runs what is owed, and what that adds. */
void redis_later_drain(RedisLater *later);
void redis_later_free(RedisLater *later);

#endif
