/* See redis_reply.h. hiredis hands us the place through the task's privdata. */
#include "lib/redis/redis_reply.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

#include "lib/redis/redis.h"

/* Of one array in a reply; ours have a thousand, and a pool's ids at most. */
#define MAX_ELEMENTS (1 << 20)

static RedisReply *reply_new(const redisReadTask *task, RedisType type) {
  RedisReply *r = arena_alloc(task->privdata, sizeof *r);
  r->type = type;
  if (task->parent)
    ((const RedisReply **)((RedisReply *)task->parent->obj)->items)[task->idx] = r;
  return r;
}

static void *create_string(const redisReadTask *task, char *s, size_t len) {
  RedisType type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                   : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                      : REDIS_STRING;
  RedisReply *r = reply_new(task, type);
  r->str = arena_strndup(task->privdata, s, len);
  r->len = len;
  return r;
}

static void *create_array(const redisReadTask *task, int n) {
  /* Before any of them has come: the place for them must not be what a length alone asks for. */
  if (n > MAX_ELEMENTS)
    return NULL;
  RedisReply *r = reply_new(task, REDIS_ARRAY);
  r->n_items = (size_t)n;
  r->items = arena_alloc(task->privdata, (size_t)n * sizeof(RedisReply *));
  return r;
}

static void *create_integer(const redisReadTask *task, long long v) {
  RedisReply *r = reply_new(task, REDIS_INTEGER);
  r->integer = v;
  return r;
}

static void *create_nil(const redisReadTask *task) {
  return reply_new(task, REDIS_NIL);
}
static void free_object(void *r) {
  (void)r;
}

static redisReplyObjectFunctions REPLY_FUNCTIONS = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

redisReader *redis_reply_reader(Arena *arena) {
  redisReader *reader = redisReaderCreateWithFunctions(&REPLY_FUNCTIONS);
  if (!reader)
    abort();
  reader->privdata = arena;
  return reader;
}
