/* See redis_shared.h. */
#include "lib/redis/redis_shared.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/redis/redis_config.h"

typedef struct Owed {
  struct Owed *next;
  RedisFn fn;
  void *arg;
  Error err;
} Owed;

static void on_timer(void *arg) {
  RedisShared *s = arg;
  Owed *o = s->owed;
  s->owed = NULL;
  s->owed_end = &s->owed;
  while (o) {
    Owed *next = o->next;
    o->fn(o->arg, NULL, &o->err);
    free(o);
    o = next;
  }
}

void redis_shared_owe(RedisShared *s, RedisFn fn, void *arg, const Error *err) {
  if (!fn)
    return;
  Owed *o = new0(Owed);
  *o = (Owed){.fn = fn, .arg = arg, .err = *err};
  *s->owed_end = o;
  s->owed_end = &o->next;
  loop_timer_start(s->timer, 0);
}

void redis_shared_drain(RedisShared *s) {
  while (s->owed)
    on_timer(s);
}

RedisShared *redis_shared_new(Loop *loop, const RedisConfig *config) {
  RedisShared *s = new0(RedisShared);
  *s = (RedisShared){.loop = loop, .config = redis_config_copy(config)};
  s->owed_end = &s->owed;
  s->timer = loop_timer_new(loop, on_timer, s);
  return s;
}

void redis_shared_free(RedisShared *s) {
  if (!s)
    return;
  loop_timer_free(s->timer);
  tls_free(s->tls);
  redis_config_deinit(&s->config);
  free(s);
}
