/* Who the master is, as Sentinels say.
 *
 * One of them is asked each second and listened to (+switch-master); one that is away or does not know the name gives
 * way to the next. What it says is not believed blindly: the connection to a master asks the server itself.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SENTINEL_H_
#define SANDPLANE_LIB_REDIS_REDIS_SENTINEL_H_

#include "lib/redis/redis_shared.h"

typedef struct RedisSentinel RedisSentinel;

/* on_master runs at each answer, the same or another. shared must outlive it. */
RedisSentinel *redis_sentinel_new(RedisShared *shared, void (*on_master)(void *arg, const char *address), void *arg);
/* Why there is no answer, as far as is known. */
const char *redis_sentinel_trouble(const RedisSentinel *sentinel);
void redis_sentinel_free(RedisSentinel *sentinel); /* NULL-safe */

#endif
