/* See redis_request.h. */
#include "lib/redis/redis_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

void redis_request_set(RedisRequest *r, size_t i, const char *text, size_t len) {
  r->argv[i] = text;
  r->lens[i] = len;
}

/* With places of ours before and behind the arguments; each has a NUL that its length does not count. */
static RedisRequest *new_request(RedisFn fn, void *arg, size_t before, size_t argc, const char *const *argv,
                                 const size_t *lens, size_t behind) {
  size_t n = before + argc + behind, size = 0;
  for (size_t i = 0; i < argc; i++)
    size += (lens ? lens[i] : strlen(argv[i])) + 1;
  RedisRequest *r = xcalloc(1, sizeof *r + n * (sizeof *r->argv + sizeof *r->lens) + size);
  r->fn = fn;
  r->arg = arg;
  r->argc = n;
  r->argv = (const char **)(r + 1);
  r->lens = (size_t *)(r->argv + n);
  char *at = (char *)(r->lens + n);
  for (size_t i = 0; i < argc; i++) {
    size_t len = lens ? lens[i] : strlen(argv[i]);
    redis_request_set(r, before + i, memcpy(at, argv[i], len), len);
    at += len + 1;
  }
  /* "$123456789\r\n" before each of them and "\r\n" behind it */
  r->bytes = size + (n + 1) * 16;
  return r;
}

RedisRequest *redis_request_new(RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens) {
  return new_request(fn, arg, 0, argc, argv, lens, 0);
}

RedisRequest *redis_request_script(RedisFn fn, void *arg, const RedisScript *script, size_t n_keys, size_t argc,
                                   const char *const *argv, const size_t *lens) {
  RedisRequest *r = new_request(fn, arg, 3, argc, argv, lens, script->fenced ? 1 : 0);
  r->script = *script;
  snprintf(r->n_keys, sizeof r->n_keys, "%zu", n_keys);
  redis_request_set(r, 0, "EVALSHA", strlen("EVALSHA"));
  redis_request_set(r, 2, r->n_keys, strlen(r->n_keys));
  r->bytes += REDIS_DIGEST_LEN + REDIS_LINEAGE_LEN;
  return r;
}

static void free_request(RedisRequest *r) {
  arena_free(r->kept);
  free(r);
}

void redis_request_finish(RedisRequest *r, const RedisReply *reply, const Error *err) {
  if (r->fn)
    r->fn(r->arg, reply, err);
  free_request(r);
}

void redis_request_fail_later(RedisRequest *r, RedisShared *shared, const Error *err) {
  redis_shared_owe(shared, r->fn, r->arg, err);
  free_request(r);
}

RedisRequest *redis_request_take(List *list) {
  ListLink *first = list_take_first(list);
  return first ? CONTAINER_OF(first, RedisRequest, link) : NULL;
}
