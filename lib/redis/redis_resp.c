/* See redis_resp.h. Replies are built in an arena; hiredis hands it to us through the task's privdata. */
#include "lib/redis/redis_resp.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* Of one array in a reply; ours have a thousand, and a pool's ids at most. */
#define ELEMENTS_MAX (1 << 20)

struct RedisReader {
  redisReader *reader;
  Arena *arena;
  bool given; /* the reply in the arena has been handed out; before, a part of one may be in it */
};

void redis_resp_command(Buf *out, size_t argc, const char *const *argv, const size_t *lens) {
  char *bytes = NULL;
  int n = redisFormatCommandArgv(&bytes, (int)argc, (const char **)argv, lens);
  if (n < 0 || buf_append(out, bytes, (size_t)n))
    abort();
  free(bytes);
}

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
  if (n > ELEMENTS_MAX)
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

static void free_object(void *r) {}

static redisReplyObjectFunctions REPLY_FUNCTIONS = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

RedisReader *redis_reader_new(void) {
  RedisReader *r = new0(RedisReader);
  r->arena = arena_new();
  r->reader = alloc_or_abort(redisReaderCreateWithFunctions(&REPLY_FUNCTIONS));
  r->reader->privdata = r->arena;
  return r;
}

void redis_reader_free(RedisReader *r) {
  if (!r)
    return;
  redisReaderFree(r->reader);
  arena_free(r->arena);
  free(r);
}

void redis_reader_feed(RedisReader *r, const void *data, size_t len) {
  redisReaderFeed(r->reader, data, len);
}

int redis_reader_next(RedisReader *r, const RedisReply **ret, Error *err) {
  void *reply = NULL;
  if (r->given)
    arena_reset(r->arena);
  r->given = false;
  if (redisReaderGetReply(r->reader, &reply) != REDIS_OK)
    return error_set(err, ERROR_UNAVAILABLE, "state store: %s", r->reader->errstr);
  r->given = reply != NULL;
  *ret = reply;
  return 0;
}

Arena *redis_reader_keep(RedisReader *r) {
  Arena *kept = r->arena;
  r->arena = r->reader->privdata = arena_new();
  return kept;
}

void redis_resp_error(const char *text, Error *ret) {
  static const char *const AWAY[] = {"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
                                     "BUSY",    "MISCONF",  "NOREPLICAS", "MOVED",       "ASK"};
  ErrorKind kind = ERROR_INTERNAL;
  for (size_t i = 0; i < ARRAY_LEN(AWAY); i++)
    if (str_starts_with(text, AWAY[i]))
      kind = ERROR_UNAVAILABLE;
  /* a script's own call to Redis that failed carries the same words further on */
  if (kind == ERROR_INTERNAL && (str_starts_with(text, "OOM") || strstr(text, "-OOM")))
    kind = ERROR_RESOURCE_EXHAUSTED;
  error_set(ret, kind, "state store: %s", text);
}
