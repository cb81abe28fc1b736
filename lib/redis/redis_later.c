/* See redis_later.h. */
#include "lib/redis/redis_later.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

typedef struct Owed {
  struct Owed *next;
  RedisFn fn;
  void *arg;
  Error err;
} Owed;

struct RedisLater {
  LoopTimer *timer;
  Owed *first, **end;
};

static void on_timer(void *arg) {
  RedisLater *l = arg;
  Owed *o = l->first;
  l->first = NULL;
  l->end = &l->first;
  while (o) {
    Owed *next = o->next;
    o->fn(o->arg, NULL, &o->err);
    free(o);
    o = next;
  }
}

void redis_later_add(RedisLater *l, RedisFn fn, void *arg, const Error *err) {
  if (!fn)
    return;
  Owed *o = new0(Owed);
  *o = (Owed){.fn = fn, .arg = arg, .err = *err};
  *l->end = o;
  l->end = &o->next;
  loop_timer_start(l->timer, 0);
}

void redis_later_drain(RedisLater *l) {
  while (l->first)
    on_timer(l);
}

RedisLater *redis_later_new(Loop *loop) {
  RedisLater *l = new0(RedisLater);
  l->end = &l->first;
  l->timer = loop_timer_new(loop, on_timer, l);
  return l;
}

void redis_later_free(RedisLater *l) {
  loop_timer_free(l->timer);
  free(l);
}
