/* The second connection of a client, for messages of channels. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SUBSCRIBER_H_
#define SANDPLANE_LIB_REDIS_REDIS_SUBSCRIBER_H_

#include "lib/redis/redis_conn.h"

typedef struct RedisSubscriber RedisSubscriber;
typedef void (*RedisMessageFn)(void *arg, const char *message, size_t len);

/* As redis_conn_new. */
RedisSubscriber *redis_subscriber_new(RedisShared *shared, RedisPeer peer, const char *addresses);
void redis_subscriber_free(RedisSubscriber *s); /* NULL-safe */
void redis_subscriber_add(RedisSubscriber *s, const char *channel, RedisMessageFn fn, void *arg);
void redis_subscriber_redirect(RedisSubscriber *s, const char *addresses);

#endif
