/* See pressure.h. Control groups of version 1 stop whoever wants more (the killer is switched off), those of version 2
 * slow them down (memory.high); in both what wants no memory goes on, and the isolation can be told to end a process.
 * It may need a little itself for that, so the limit is raised by steps meanwhile, and lowered again afterwards. */
#include "services/reconciler/local/pressure.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/reconciler/local/subprocess.h"

#define STEP_BYTES ((int64_t)16 << 20)
#define TICK_MS 50
/* What was ended gives its memory back within that many ticks, or the next is ended. */
#define PATIENCE_TICKS 20
#define TICKS_MAX 200
/* Between two steps, and between two beginnings: what was ended needs a moment to go, and what holds too much takes
 * each step at once. */
#define PAUSE_TICKS 4

struct Pressure {
  PressureSpec spec;
  int fd;
  LoopFd *watch;
  LoopTimer *timer;
  PidWatch *relief;
  pid_t relief_pid;
  int64_t soft_bytes, raised_bytes;
  int ticks, next_relief, next_step; /* of this time; 0: all is well */
  bool again;
};

static void on_relieved(void *arg, int status) {
  ((Pressure *)arg)->relief = NULL;
}

static void relieve(Pressure *p) {
  Error err;
  if (p->relief || p->ticks < p->next_relief)
    return;
  p->next_relief = p->ticks + PAUSE_TICKS;
  p->relief_pid = p->spec.relieve(p->spec.arg, p->again, &err);
  p->again = true;
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
  bool is_short = used >= limit + p->raised_bytes - STEP_BYTES / 2;
  if (used < limit)
    p->raised_bytes = 0;
  set_soft(p, limit + p->raised_bytes);
  if (used < limit - STEP_BYTES / 2 && !p->relief) {
    p->ticks = p->next_relief = p->next_step = 0;
    p->again = false;
    return;
  }
  if (++p->ticks > TICKS_MAX)
    return p->spec.on_hopeless(p->spec.arg);
  if (is_short && p->ticks >= p->next_step && p->raised_bytes < PRESSURE_RESERVE_BYTES) {
    p->raised_bytes += STEP_BYTES;
    p->next_step = p->ticks + PAUSE_TICKS;
    set_soft(p, limit + p->raised_bytes);
  }
  if (is_short || p->ticks % PATIENCE_TICKS == 0)
    relieve(p);
  loop_timer_start(p->timer, TICK_MS);
}

static void on_pressure(int events, void *arg) {
  Pressure *p = arg;
  char told[4096];
  if (read(p->fd, told, sizeof told) < 0 || p->ticks > 0)
    return;
  p->ticks = 1;
  loop_timer_start(p->timer, 0);
}

Pressure *pressure_new(const PressureSpec *spec, Error *err) {
  int fd;
  if (cgroup_memory_watch(spec->cgroups, spec->group, spec->limit_bytes, &fd, err))
    return NULL;
  Pressure *p = calloc(1, sizeof *p);
  if (!p)
    abort();
  *p = (Pressure){.spec = *spec, .fd = fd, .soft_bytes = spec->limit_bytes};
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
