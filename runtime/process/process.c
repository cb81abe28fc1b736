/* See process.h. */
#include "runtime/process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "runtime/process/plumbing.h"
#include "runtime/process/process_input.h"
#include "runtime/process/session.h"
#include "runtime/process/terminal_keys.h"

/* How long the output of a command that has ended is waited for, when something it left behind holds the
 * pipes: long enough for the `tee` of `cmd > >(tee log)` to finish, short enough for `server &`. */
#define LINGER_MS 200
/* How long the end waits for a killed command. */
#define END_WAIT_MS 1000
#define READ_CHUNK (64 << 10)
/* Reads of one turn, so that a flood of output does not starve the others. */
#define READS_PER_TURN 8

typedef struct Output {
  struct Process *process;
  int stream, fd;
  LoopFd *watch;
} Output;

struct Process {
  Process *next, **link;
  ProcessTable *table;
  ProcessHandlers handlers; /* none: nobody listens any more, and output is read and dropped */
  void *arg;
  pid_t pid;
  bool reaped, terminal, paused;
  int status;
  Output out[2];
  ProcessInput in;
  LoopTimer *timer; /* timeout; after the end, the linger */
  bool timed_out;
  int64_t start_us, end_us;
};

struct ProcessTable {
  Loop *loop;
  uid_t uid;
  gid_t gid;
  bool filter; /* commands could end us, see spawn_filter.h */
  LoopSignal *sigchld;
  Process *head;
};

static void close_output(Output *o) {
  loop_fd_free(o->watch);
  o->watch = NULL;
  if (o->fd >= 0)
    close(o->fd);
  o->fd = -1;
}

static void process_free(Process *p) {
  process_input_close(&p->in);
  close_output(&p->out[0]);
  close_output(&p->out[1]);
  loop_timer_free(p->timer);
  *p->link = p->next;
  if (p->next)
    p->next->link = p->link;
  free(p);
}

static bool drained(const Process *p) {
  return p->out[0].fd < 0 && p->out[1].fd < 0;
}

static void finish(Process *p) {
  ProcessExit e = {.exit_code = -1, .timed_out = p->timed_out, .duration_us = p->end_us - p->start_us};
  if (WIFEXITED(p->status))
    e.exit_code = WEXITSTATUS(p->status);
  else
    e.signal = WTERMSIG(p->status);
  ProcessHandlers h = p->handlers;
  p->handlers = (ProcessHandlers){0};
  loop_timer_stop(p->timer);
  if (h.on_exit)
    h.on_exit(p->arg, &e);
  /* What it left running writes on: closed pipes would end that, and full ones hold it up. */
  if (drained(p))
    process_free(p);
}

static void finish_if_done(Process *p) {
  if (p->reaped && drained(p))
    finish(p);
}

/* Ends all that it started and that has not left its session. The session's number is nobody else's while one of it
 * lives; when all output is at end, none may. */
static void end_session(const Process *p) {
  if (!p->reaped || !drained(p))
    session_kill(p->pid);
}

static void on_timer(void *arg) {
  Process *p = arg;
  if (!p->reaped) {
    p->timed_out = true;
    end_session(p);
    return;
  }
  /* a listener that is slow has not had what the command wrote: the wait begins when it goes on */
  if (!p->paused)
    finish(p);
}

static void on_readable(int events, void *arg) {
  Output *o = arg;
  Process *p = o->process;
  uint8_t chunk[READ_CHUNK];
  for (int i = 0; i < READS_PER_TURN && !p->paused; i++) {
    ssize_t n = read(o->fd, chunk, sizeof chunk);
    if (n > 0) {
      if (p->handlers.on_output)
        p->handlers.on_output(p->arg, o->stream, chunk, (size_t)n);
      if (o->fd < 0)
        return;
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    /* A terminal says EIO when its last user has closed it. Our end is kept till the command has ended: one that closes
     * its streams on its way out, as cat does, would be hung up instead. */
    if (p->terminal && !p->reaped) {
      loop_fd_free(o->watch);
      o->watch = NULL;
      return;
    }
    close_output(o);
    finish_if_done(p);
    return;
  }
}

static void on_reaped(Process *p, int status) {
  p->reaped = true;
  p->status = status;
  p->end_us = clock_mono_us();
  process_input_close(&p->in);
  if (drained(p))
    return finish(p);
  if (p->terminal && !p->out[0].watch)
    p->out[0].watch = loop_fd_new(p->table->loop, p->out[0].fd, p->paused ? 0 : LOOP_READ, on_readable, &p->out[0]);
  /* the pipes may hold output that was written before the end: the loop reads it first */
  loop_timer_start(p->timer, LINGER_MS);
}

static void on_sigchld(void *arg) {
  ProcessTable *t = arg;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
    for (Process *p = t->head; p; p = p->next)
      // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed has left the list, by the link that points to it
      if (p->pid == pid && !p->reaped) {
        on_reaped(p, status);
        break;
      }
}

ProcessTable *process_table_new(Loop *loop, uid_t uid, gid_t gid) {
  ProcessTable *t = new0(ProcessTable);
  *t = (ProcessTable){.loop = loop, .uid = uid, .gid = gid, .filter = getpid() == 1 && uid == (uid_t)-1};
  t->sigchld = loop_signal_new(loop, SIGCHLD, on_sigchld, t);
  return t;
}

/* A child that was killed on its way through exec still holds our listening sockets, and whoever starts the runtime
 * anew could not listen. One that will not die is not waited for. */
static void await_end(pid_t pid) {
  for (int ms = 0; ms < END_WAIT_MS && waitpid(pid, NULL, WNOHANG) == 0; ms++)
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void process_table_free(ProcessTable *t) {
  if (!t)
    return;
  while (t->head) {
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): as above
    end_session(t->head);
    if (!t->head->reaped)
      await_end(t->head->pid);
    process_free(t->head);
  }
  loop_signal_free(t->sigchld);
  free(t);
}

/* ---- starting ---- */

static void watch_output(Process *p, int i, int stream, int fd) {
  p->out[i] = (Output){.process = p, .stream = stream, .fd = fd};
  if (fd < 0)
    return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  p->out[i].watch = loop_fd_new(p->table->loop, fd, LOOP_READ, on_readable, &p->out[i]);
}

static void on_stdin_drained(void *arg) {
  const Process *p = arg;
  if (p->handlers.on_stdin_drained)
    p->handlers.on_stdin_drained(p->arg);
}

Process *process_start(ProcessTable *t, const ProcessSpec *spec, const ProcessHandlers *handlers, void *arg,
                       Error *err) {
  Plumbing pl;
  if (plumbing_init(&pl, spec, t->uid, t->gid, err))
    return NULL;
  int64_t start = clock_mono_us();
  pid_t pid = process_spawn(spec, &pl.child, t->uid, t->gid, t->filter, err);
  plumbing_close_child(&pl);
  if (pid < 0) {
    plumbing_close_ours(&pl);
    return NULL;
  }
  Process *p = new0(Process);
  *p = (Process){.table = t, .handlers = *handlers, .arg = arg, .pid = pid, .terminal = spec->pty, .start_us = start};
  p->next = t->head;
  p->link = &t->head;
  if (p->next)
    p->next->link = &p->next;
  t->head = p;
  watch_output(p, 0, PROCESS_STDOUT, pl.out);
  watch_output(p, 1, PROCESS_STDERR, pl.err);
  process_input_init(&p->in, t->loop, pl.in, spec->pty, pid, on_stdin_drained, p);
  p->timer = loop_timer_new(t->loop, on_timer, p);
  if (spec->timeout_ms > 0)
    loop_timer_start(p->timer, spec->timeout_ms);
  return p;
}

/* ---- while it runs ---- */

pid_t process_pid(const Process *p) {
  return p->pid;
}
size_t process_stdin_pending(const Process *p) {
  return p->in.buf.len;
}

void process_write_stdin(Process *p, const uint8_t *data, size_t len) {
  process_input_write(&p->in, data, len);
}

void process_close_stdin(Process *p) {
  process_input_end(&p->in);
}

void process_pause_output(Process *p, bool pause) {
  if (p->paused == pause)
    return;
  p->paused = pause;
  for (int i = 0; i < 2; i++)
    if (p->out[i].watch)
      loop_fd_set(p->out[i].watch, pause ? 0 : LOOP_READ);
  if (p->reaped && !pause)
    loop_timer_start(p->timer, LINGER_MS);
}

void process_signal(Process *p, int signo) {
  /* the group it leads, itself among them: once, or a handler runs twice */
  if (!p->reaped)
    kill(-p->pid, signo);
}

void process_resize(Process *p, uint16_t columns, uint16_t rows) {
  struct winsize size = {.ws_col = columns, .ws_row = rows};
  if (!p->terminal || p->out[0].fd < 0 || ioctl(p->out[0].fd, TIOCSWINSZ, &size))
    return;
  /* a kernel that leaves the keys to us leaves this too */
  if (p->in.keys && !p->reaped)
    terminal_keys_send(p->out[0].fd, p->pid, SIGWINCH);
}

void process_abandon(Process *p) {
  if (p->terminal && !p->reaped)
    session_hang_up(p->pid, tcgetpgrp(p->out[0].fd));
  else
    end_session(p);
  p->handlers = (ProcessHandlers){0};
  process_input_close(&p->in);
  process_pause_output(p, false);
  loop_timer_stop(p->timer);
  if (p->reaped && drained(p))
    process_free(p);
}
