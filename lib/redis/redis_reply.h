/* Replies, built in an arena by hiredis' reader; they live until the arena is reset. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_REPLY_H_
#define SANDPLANE_LIB_REDIS_REDIS_REPLY_H_

#include "lib/base/arena.h"

struct redisReader;

/* A reader whose replies are RedisReplies in the arena. Never NULL. */
struct redisReader *redis_reply_reader(Arena *arena);

#endif
