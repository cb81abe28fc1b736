/* See pressure.h. Control groups of version 2 slow down who wants more (memory.high). Those of version 1 tell when the
 * limit is reached, and stop who wants more some way above (the killer is switched off); not at once, because there a
 * system call of the isolation fails, and it may not survive that. What waits still may have a little at a time, in
 * both. */
#include "services/reconciler/local/pressure.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "services/reconciler/local/subprocess.h"

#define STEP_BYTES ((int64_t)16 << 20)
/* In version 1 between the limit and where it stops. */
#define HEADROOM_BYTES ((int64_t)512 << 20)
#define TICK_MS 50
/* What was ended gives its memory back within that many ticks, or the next is ended. */
#define PATIENCE_TICKS 20
#define TICKS_MAX 200
/* Between two steps: what holds too much takes each at once. */
#define STEP_TICKS 4

struct Pressure {
  PressureSpec spec;
  int fd;
  LoopFd *watch;
  LoopTimer *timer;
  PidWatch *relief;
  pid_t relief_pid;
  int64_t headroom_bytes, soft_bytes, raised_bytes;
  bool looking;                      /* the timer runs */
  int ticks, next_relief, next_step; /* above the limit, this time */
};

static void on_relieved(void *arg, int status) {
  ((Pressure *)arg)->relief = NULL;
}

static void relieve(Pressure *p) {
  Error err;
  if (p->relief || p->ticks < p->next_relief)
    return;
  p->next_relief = p->ticks + PATIENCE_TICKS;
  p->relief_pid = p->spec.relieve(p->spec.arg, &err);
  if (p->relief_pid > 0)
    p->relief = pid_watch_new(p->spec.loop, p->relief_pid, on_relieved, p);
}

static void set_soft(Pressure *p, int64_t bytes) {
  if (bytes != p->soft_bytes && cgroup_memory_set_soft(p->spec.cgroups, p->spec.group, bytes) == 0)
    p->soft_bytes = bytes;
}

static void on_tick(void *arg) {
  Pressure *p = arg;
  int64_t limit = p->spec.limit_bytes + p->spec.allowance(p->spec.arg);
  int64_t used = cgroup_memory_used(p->spec.cgroups, p->spec.group);
  if (used < limit)
    p->raised_bytes = 0;
  int64_t soft = limit + p->headroom_bytes + p->raised_bytes;
  if (used >= soft - STEP_BYTES / 2 && p->ticks >= p->next_step &&
      p->headroom_bytes + p->raised_bytes < PRESSURE_RESERVE_BYTES) {
    p->raised_bytes += STEP_BYTES;
    p->next_step = p->ticks + STEP_TICKS;
    soft += STEP_BYTES;
  }
  set_soft(p, soft);
  if (used >= limit) {
    if (++p->ticks > TICKS_MAX)
      return p->spec.on_hopeless(p->spec.arg);
    relieve(p);
  } else {
    p->ticks = p->next_relief = p->next_step = 0;
    /* below what is told, the descriptor tells */
    p->looking = used >= p->spec.limit_bytes;
  }
  if (p->looking)
    loop_timer_start(p->timer, TICK_MS);
}

static void on_pressure(int events, void *arg) {
  Pressure *p = arg;
  char told[4096];
  if (read(p->fd, told, sizeof told) < 0 || p->looking)
    return;
  p->looking = true;
  loop_timer_start(p->timer, 0);
}

Pressure *pressure_new(const PressureSpec *spec, Error *err) {
  int fd;
  int64_t headroom = cgroup_memory_holds_up(spec->cgroups) ? HEADROOM_BYTES : 0;
  if (cgroup_memory_watch(spec->cgroups, spec->group, spec->limit_bytes, spec->limit_bytes + headroom, &fd, err))
    return NULL;
  Pressure *p = new0(Pressure);
  *p = (Pressure){.spec = *spec, .fd = fd, .headroom_bytes = headroom, .soft_bytes = spec->limit_bytes + headroom};
  p->watch = loop_fd_new(spec->loop, fd, LOOP_READ, on_pressure, p);
  p->timer = loop_timer_new(spec->loop, on_tick, p);
  return p;
}

void pressure_free(Pressure *p) {
  if (!p)
    return;
  loop_fd_free(p->watch);
  loop_timer_free(p->timer);
  close(p->fd);
  if (p->relief) {
    kill(p->relief_pid, SIGKILL);
    waitpid(p->relief_pid, NULL, 0);
  }
  pid_watch_free(p->relief);
  free(p);
}
