/* See leadership.h. */
#include "lib/loop/leadership.h"

static void set(Leadership *l, bool leads) {
  if (l->leads == leads)
    return;
  l->leads = leads;
  l->fn(l->arg, leads);
}

static void on_over(void *arg) {
  set(arg, false);
}

void leadership_init(Leadership *l, Loop *loop, void (*fn)(void *arg, bool leads), void *arg) {
  *l = (Leadership){.loop = loop, .fn = fn, .arg = arg};
  l->over = loop_timer_new(loop, on_over, l);
}

void leadership_deinit(Leadership *l) {
  loop_timer_free(l->over);
}

void leadership_ask(Leadership *l) {
  l->asked_ms = loop_now_ms(l->loop);
}

void leadership_grant(Leadership *l, int64_t ms) {
  int64_t left_ms = l->asked_ms + ms - loop_now_ms(l->loop);
  if (left_ms <= 0)
    return;
  l->until_ms = l->asked_ms + ms;
  loop_timer_start(l->over, left_ms);
  set(l, true);
}

void leadership_end(Leadership *l) {
  loop_timer_stop(l->over);
  set(l, false);
}

bool leadership_is_held(const Leadership *l) {
  return l->leads && loop_now_ms(l->loop) < l->until_ms;
}
