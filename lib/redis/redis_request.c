/* See redis_request.h. */
#include "lib/redis/redis_request.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

RedisRequest *redis_request_command(RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens) {
  char *bytes = NULL;
  int n = redisFormatCommandArgv(&bytes, (int)argc, (const char **)argv, lens);
  if (n < 0)
    abort();
  RedisRequest *r = xcalloc(1, sizeof *r + (size_t)n);
  r->fn = fn;
  r->arg = arg;
  r->argc = argc;
  r->len = (size_t)n;
  memcpy(r->bytes, bytes, (size_t)n);
  free(bytes);
  return r;
}

RedisRequest *redis_request_script(RedisFn fn, void *arg, const RedisScript *script, const char *digest, size_t n_keys,
                                   size_t argc, const char *const *argv, const size_t *lens) {
  char keys[24], place[REDIS_LINEAGE_LEN + 1];
  snprintf(keys, sizeof keys, "%zu", n_keys);
  memset(place, ' ', REDIS_LINEAGE_LEN);
  place[REDIS_LINEAGE_LEN] = 0;
  const char **all = calloc(argc + 4, sizeof *all);
  size_t *all_lens = calloc(argc + 4, sizeof *all_lens);
  if (!all || !all_lens)
    abort();
  all[0] = "EVALSHA";
  all[1] = digest;
  all[2] = keys;
  for (size_t i = 0; i < argc; i++)
    all[3 + i] = argv[i];
  all[3 + argc] = place;
  size_t n = argc + 3 + (script->fenced ? 1 : 0);
  for (size_t i = 0; i < n; i++)
    all_lens[i] = lens && i >= 3 && i < argc + 3 ? lens[i - 3] : strlen(all[i]);
  RedisRequest *r = redis_request_command(fn, arg, n, all, all_lens);
  char head[160];
  r->script = *script;
  r->tail = (size_t)snprintf(head, sizeof head, "*%zu\r\n$7\r\nEVALSHA\r\n$%zu\r\n%s\r\n", n, strlen(digest), digest);
  free(all);
  free(all_lens);
  return r;
}

void redis_request_fence(RedisRequest *r, const char *lineage) {
  memcpy(r->bytes + r->len - 2 - REDIS_LINEAGE_LEN, lineage, REDIS_LINEAGE_LEN);
}

static const RedisReply *copy(Arena *arena, const RedisReply *from) {
  RedisReply *to = arena_alloc(arena, sizeof *to);
  *to = *from;
  if (from->str)
    to->str = arena_strndup(arena, from->str, from->len);
  if (from->type != REDIS_ARRAY)
    return to;
  const RedisReply **items = arena_alloc(arena, from->n_items * sizeof(RedisReply *));
  for (size_t i = 0; i < from->n_items; i++)
    items[i] = copy(arena, from->items[i]);
  to->items = items;
  return to;
}

void redis_request_keep(RedisRequest *r, const RedisReply *reply) {
  r->kept = arena_new();
  r->kept_reply = copy(r->kept, reply);
}

void redis_request_finish(RedisRequest *r, const RedisReply *reply, const Error *err) {
  if (r->fn)
    r->fn(r->arg, reply, err);
  redis_request_free(r);
}

void redis_request_free(RedisRequest *r) {
  arena_free(r->kept);
  free(r);
}
