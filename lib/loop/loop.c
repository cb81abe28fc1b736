/* See loop.h. Postings from other threads go through a list under a lock and one eventfd; the loop takes the
 * whole list at once, so a burst costs one wake-up. */
#include "lib/loop/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"

typedef struct Posting {
  struct Posting *next;
  void (*fn)(void *arg);
  void *arg;
} Posting;

struct Loop {
  struct event_base *base;
  struct event *wake;
  int wake_fd;
  pthread_mutex_t lock; /* guards head, tail */
  Posting *head, **tail;
  atomic_bool stop;
  void *rpc_slot;
  bool held; /* loop_hold_time: timers wait in this list, and libevent knows nothing of them */
  int64_t held_now_ms;
  LoopTimer *timers;
};

static void on_wake(evutil_socket_t fd, short what, void *arg) {
  Loop *loop = arg;
  uint64_t n;
  /* an empty eventfd (EAGAIN) is fine: another callback of this turn took the list already */
  if (read(fd, &n, sizeof n) < 0)
    n = 0;
  pthread_mutex_lock(&loop->lock);
  Posting *p = loop->head;
  loop->head = NULL;
  loop->tail = &loop->head;
  pthread_mutex_unlock(&loop->lock);
  while (p) {
    Posting *next = p->next;
    p->fn(p->arg);
    free(p);
    p = next;
  }
  if (atomic_load(&loop->stop))
    event_base_loopbreak(loop->base);
}

Loop *loop_new(void) {
  Loop *loop = new0(Loop);
  struct event_config *cfg = event_config_new();
  /* timers of a service are in milliseconds, so epoll's own resolution does */
  if (!cfg || !(loop->base = event_base_new_with_config(cfg)))
    abort();
  event_config_free(cfg);
  loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, on_wake, loop);
  if (loop->wake_fd < 0 || !loop->wake || event_add(loop->wake, NULL))
    abort();
  pthread_mutex_init(&loop->lock, NULL);
  loop->tail = &loop->head;
  return loop;
}

void loop_free(Loop *loop) {
  if (!loop)
    return;
  while (loop->head) {
    Posting *next = loop->head->next;
    free(loop->head);
    loop->head = next;
  }
  event_free(loop->wake);
  close(loop->wake_fd);
  event_base_free(loop->base);
  pthread_mutex_destroy(&loop->lock);
  free(loop);
}

/* The one that this thread runs; NULL: none. */
static _Thread_local const Loop *running;

void loop_run(Loop *loop) {
  atomic_store(&loop->stop, false);
  running = loop;
  event_base_loop(loop->base, EVLOOP_NO_EXIT_ON_EMPTY);
  running = NULL;
}

bool loop_is_elsewhere(const Loop *loop) {
  return running && running != loop;
}

static void wake(Loop *loop) {
  uint64_t one = 1;
  /* fails only when the counter is full, and then the loop is awake */
  if (write(loop->wake_fd, &one, sizeof one) < 0)
    return;
}

void loop_stop(Loop *loop) {
  atomic_store(&loop->stop, true);
  wake(loop);
}

struct event_base *loop_base(Loop *loop) {
  return loop->base;
}
void **loop_rpc_slot(Loop *loop) {
  return &loop->rpc_slot;
}

void loop_post(Loop *loop, void (*fn)(void *arg), void *arg) {
  Posting *p = new0(Posting);
  p->fn = fn;
  p->arg = arg;
  pthread_mutex_lock(&loop->lock);
  bool was_empty = loop->head == NULL;
  *loop->tail = p;
  loop->tail = &p->next;
  pthread_mutex_unlock(&loop->lock);
  if (was_empty)
    wake(loop);
}

/* Timers, descriptors and signals may be freed inside their own callback: the object is then marked and
 * freed when the callback has returned. */
typedef struct Watch {
  struct event *ev;
  bool running, dead;
} Watch;

static void watch_free(Watch *w, void *self) {
  event_free(w->ev);
  w->ev = NULL;
  if (w->running)
    w->dead = true;
  else
    free(self);
}

struct LoopTimer {
  Watch watch;
  void (*fn)(void *arg);
  void *arg;
  Loop *loop;
  bool hold_not;
  LoopTimer *next; /* of those that run in held time, the earliest first */
  int64_t due_ms;
};

static void on_timer(evutil_socket_t fd, short what, void *arg) {
  LoopTimer *t = arg;
  t->watch.running = true;
  t->fn(t->arg);
  t->watch.running = false;
  if (t->watch.dead)
    free(t);
}

LoopTimer *loop_timer_new(Loop *loop, void (*fn)(void *arg), void *arg) {
  LoopTimer *t = new0(LoopTimer);
  *t = (LoopTimer){.fn = fn, .arg = arg, .loop = loop};
  t->watch.ev = event_new(loop->base, -1, 0, on_timer, t);
  if (!t->watch.ev)
    abort();
  return t;
}

static void held_stop(LoopTimer *timer) {
  for (LoopTimer **at = &timer->loop->timers; *at; at = &(*at)->next) {
    if (*at == timer) {
      *at = timer->next;
      return;
    }
  }
}

static void held_start(LoopTimer *timer, int64_t delay_ms) {
  Loop *loop = timer->loop;
  timer->due_ms = loop->held_now_ms + delay_ms;
  LoopTimer **at = &loop->timers;
  while (*at && (*at)->due_ms <= timer->due_ms)
    at = &(*at)->next;
  timer->next = *at;
  *at = timer;
}

int64_t loop_now_ms(const Loop *loop) {
  return loop->held ? loop->held_now_ms : clock_mono_ms();
}

void loop_hold_time(Loop *loop) {
  loop->held_now_ms = clock_mono_ms();
  loop->held = true;
}

void loop_timer_hold_not(LoopTimer *timer) {
  timer->hold_not = true;
}

void loop_pass_time(Loop *loop, int64_t ms) {
  int64_t end = loop->held_now_ms + ms;
  while (loop->timers && loop->timers->due_ms <= end) {
    LoopTimer *timer = loop->timers;
    loop->timers = timer->next;
    loop->held_now_ms = timer->due_ms;
    on_timer(-1, 0, timer);
  }
  loop->held_now_ms = end;
}

bool loop_pass_to_next(Loop *loop) {
  if (!loop->timers)
    return false;
  loop_pass_time(loop, loop->timers->due_ms - loop->held_now_ms);
  return true;
}

void loop_timer_start(LoopTimer *timer, int64_t delay_ms) {
  if (delay_ms < 0)
    delay_ms = 0;
  loop_timer_stop(timer);
  if (timer->loop->held && !timer->hold_not && delay_ms > 0) {
    held_start(timer, delay_ms);
    return;
  }
  struct timeval tv = {.tv_sec = (time_t)(delay_ms / 1000), .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000)};
  event_add(timer->watch.ev, &tv);
}

void loop_timer_stop(LoopTimer *timer) {
  held_stop(timer);
  event_del(timer->watch.ev);
}

void loop_timer_free(LoopTimer *timer) {
  if (!timer)
    return;
  held_stop(timer);
  watch_free(&timer->watch, timer);
}

struct LoopFd {
  Watch watch;
  Loop *loop;
  int fd;
  int events;
  void (*fn)(int events, void *arg);
  void *arg;
};

static void on_fd(evutil_socket_t fd, short what, void *arg) {
  LoopFd *f = arg;
  int events =
      (what & EV_READ ? LOOP_READ : 0) | (what & EV_WRITE ? LOOP_WRITE : 0) | (what & EV_CLOSED ? LOOP_CLOSED : 0);
  f->watch.running = true;
  f->fn(events, f->arg);
  f->watch.running = false;
  if (f->watch.dead)
    free(f);
}

static void arm(LoopFd *f) {
  short what = (short)(EV_PERSIST | (f->events & LOOP_READ ? EV_READ : 0) | (f->events & LOOP_WRITE ? EV_WRITE : 0) |
                       (f->events & LOOP_CLOSED ? EV_CLOSED : 0));
  if (event_assign(f->watch.ev, f->loop->base, f->fd, what, on_fd, f))
    abort();
  if (f->events && event_add(f->watch.ev, NULL))
    abort();
}

LoopFd *loop_fd_new(Loop *loop, int fd, int events, void (*fn)(int events, void *arg), void *arg) {
  LoopFd *f = new0(LoopFd);
  *f = (LoopFd){.loop = loop, .fd = fd, .events = events, .fn = fn, .arg = arg};
  f->watch.ev = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_fd, f);
  if (!f->watch.ev)
    abort();
  arm(f);
  return f;
}

void loop_fd_set(LoopFd *f, int events) {
  if (f->events == events)
    return;
  event_del(f->watch.ev);
  f->events = events;
  arm(f);
}

void loop_fd_free(LoopFd *f) {
  if (f)
    watch_free(&f->watch, f);
}

struct LoopSignal {
  Watch watch;
  void (*fn)(void *arg);
  void *arg;
};

static void on_signal(evutil_socket_t fd, short what, void *arg) {
  LoopSignal *s = arg;
  s->watch.running = true;
  s->fn(s->arg);
  s->watch.running = false;
  if (s->watch.dead)
    free(s);
}

LoopSignal *loop_signal_new(Loop *loop, int signo, void (*fn)(void *arg), void *arg) {
  LoopSignal *s = new0(LoopSignal);
  s->fn = fn;
  s->arg = arg;
  s->watch.ev = evsignal_new(loop->base, signo, on_signal, s);
  if (!s->watch.ev || event_add(s->watch.ev, NULL))
    abort();
  return s;
}

void loop_signal_free(LoopSignal *s) {
  if (s)
    watch_free(&s->watch, s);
}
