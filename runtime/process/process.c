/* See process.h. */
#include "runtime/process/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "runtime/process/identity.h"
#include "runtime/process/process_spawn.h"
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
  bool reaped, terminal, stdin_closing, paused;
  bool keys;    /* ours to turn into signals, see terminal_keys.h */
  bool at_line; /* what was typed so far ends with a whole line */
  int status;
  Output out[2];
  int stdin_fd;
  LoopFd *stdin_watch;
  Buf stdin_buf;
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

static void close_stdin(Process *p) {
  loop_fd_free(p->stdin_watch);
  p->stdin_watch = NULL;
  /* a terminal's one descriptor belongs to its output */
  if (p->stdin_fd >= 0 && !p->terminal)
    close(p->stdin_fd);
  p->stdin_fd = -1;
  buf_deinit(&p->stdin_buf);
}

static void process_free(Process *p) {
  close_stdin(p);
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
  close_stdin(p);
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

typedef struct Plumbing {
  SpawnFds child;
  int in, out, err; /* our ends; -1: none */
} Plumbing;

static void close_all(const int *fds, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fds[i] > 2)
      close(fds[i]);
}

static int plumb_pipes(Plumbing *pl, const ProcessSpec *spec, Error *err) {
  int fds[6] = {-1, -1, -1, -1, -1, -1};
  if (spec->no_stdin)
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  /* without a /dev/null, a pipe at its end is next to it */
  if ((fds[0] < 0 && pipe2(fds, O_CLOEXEC)) || pipe2(fds + 2, O_CLOEXEC) || pipe2(fds + 4, O_CLOEXEC)) {
    close_all(fds, 6);
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "pipe: %s", strerror(errno));
  }
  *pl = (Plumbing){.child = {.in = fds[0], .out = fds[3], .err = fds[5]}, .in = fds[1], .out = fds[2], .err = fds[4]};
  return 0;
}

static int plumb_terminal(Plumbing *pl, const ProcessSpec *spec, Error *err) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[64];
  if (master < 0 || unlockpt(master) || ptsname_r(master, name, sizeof name)) {
    error_set(err, ERROR_FAILED_PRECONDITION, "no terminal to be had: %s", strerror(errno));
    if (master >= 0)
      close(master);
    return -1;
  }
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) {
    error_set(err, ERROR_FAILED_PRECONDITION, "open %s: %s", name, strerror(errno));
    close(master);
    return -1;
  }
  struct winsize size = {.ws_col = spec->columns, .ws_row = spec->rows};
  ioctl(slave, TIOCSWINSZ, &size);
  *pl = (Plumbing){
      .child = {.in = slave, .out = slave, .err = slave, .terminal = true}, .in = master, .out = master, .err = -1};
  return 0;
}

/* As the command's user, who is then the owner of its streams and may open them again by name (/dev/stdout). */
static int plumb(Plumbing *pl, const ProcessTable *t, const ProcessSpec *spec, Error *err) {
  identity_assume(t->uid, t->gid);
  int rc = spec->pty ? plumb_terminal(pl, spec, err) : plumb_pipes(pl, spec, err);
  identity_restore(t->uid);
  return rc;
}

static void watch_output(Process *p, int i, int stream, int fd) {
  p->out[i] = (Output){.process = p, .stream = stream, .fd = fd};
  if (fd < 0)
    return;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  p->out[i].watch = loop_fd_new(p->table->loop, fd, LOOP_READ, on_readable, &p->out[i]);
}

Process *process_start(ProcessTable *t, const ProcessSpec *spec, const ProcessHandlers *handlers, void *arg,
                       Error *err) {
  Plumbing pl;
  if (plumb(&pl, t, spec, err))
    return NULL;
  int64_t start = clock_mono_us();
  pid_t pid = process_spawn(spec, &pl.child, t->uid, t->gid, t->filter, err);
  close_all((int[]){pl.child.in}, 1);
  if (!spec->pty)
    close_all((int[]){pl.child.out, pl.child.err}, 2);
  if (pid < 0) {
    close_all((int[]){pl.in}, 1);
    if (!spec->pty)
      close_all((int[]){pl.out, pl.err}, 2);
    return NULL;
  }
  Process *p = new0(Process);
  *p = (Process){.table = t,
                 .handlers = *handlers,
                 .arg = arg,
                 .pid = pid,
                 .terminal = spec->pty,
                 .at_line = true,
                 .keys = spec->pty && terminal_keys_needed(),
                 .stdin_fd = pl.in,
                 .start_us = start,
                 .stdin_buf = BUF_INIT(0)};
  p->next = t->head;
  p->link = &t->head;
  if (p->next)
    p->next->link = &p->next;
  t->head = p;
  watch_output(p, 0, PROCESS_STDOUT, pl.out);
  watch_output(p, 1, PROCESS_STDERR, pl.err);
  if (!spec->pty && pl.in >= 0)
    fcntl(pl.in, F_SETFL, fcntl(pl.in, F_GETFL) | O_NONBLOCK);
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
  return p->stdin_buf.len;
}

/* The key that ends a terminal's input in its settings of now. In the midst of a line it only hands that on, so then it
 * is pressed twice. */
static void type_end(int terminal, bool at_line) {
  struct termios settings;
  uint8_t keys[2] = {4, 4};
  bool lines = tcgetattr(terminal, &settings) == 0 && settings.c_lflag & ICANON;
  if (lines && settings.c_cc[VEOF])
    keys[0] = keys[1] = settings.c_cc[VEOF];
  if (write(terminal, keys, lines && !at_line ? 2 : 1) < 0)
    errno = 0;
}

static void end_stdin(Process *p) {
  if (p->terminal && p->stdin_fd >= 0)
    type_end(p->stdin_fd, p->at_line);
  close_stdin(p);
}

static void on_stdin_writable(int events, void *arg);

static void flush_stdin(Process *p) {
  while (p->stdin_buf.len > 0) {
    ssize_t n = write(p->stdin_fd, p->stdin_buf.data, p->stdin_buf.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0)
      return close_stdin(p); /* EPIPE: it reads no more, which is its right */
    buf_consume(&p->stdin_buf, (size_t)n);
  }
  if (p->stdin_buf.len == 0 && p->stdin_closing)
    return end_stdin(p);
  if (p->stdin_buf.len > 0 && !p->stdin_watch)
    p->stdin_watch = loop_fd_new(p->table->loop, p->stdin_fd, LOOP_WRITE, on_stdin_writable, p);
  if (p->stdin_buf.len == 0) {
    loop_fd_free(p->stdin_watch);
    p->stdin_watch = NULL;
  }
}

static void on_stdin_writable(int events, void *arg) {
  Process *p = arg;
  flush_stdin(p);
  if (p->stdin_buf.len == 0 && p->handlers.on_stdin_drained)
    p->handlers.on_stdin_drained(p->arg);
}

/* Sends what comes before the first key that is a signal, and the signal. Returns how much that was. */
static size_t write_key(Process *p, const uint8_t *data, size_t len) {
  int signo = 0;
  size_t at = terminal_keys_find(p->stdin_fd, data, len, &signo);
  if (at == len)
    return 0;
  if (buf_append(&p->stdin_buf, data, at))
    abort();
  if (!p->stdin_watch)
    flush_stdin(p);
  if (p->stdin_fd >= 0)
    terminal_keys_send(p->stdin_fd, p->pid, signo);
  return at + 1;
}

void process_write_stdin(Process *p, const uint8_t *data, size_t len) {
  for (size_t n; p->keys && p->stdin_fd >= 0 && !p->reaped && (n = write_key(p, data, len)); len -= n)
    data += n;
  if (p->stdin_fd < 0 || p->stdin_closing || len == 0)
    return;
  p->at_line = data[len - 1] == '\n' || data[len - 1] == '\r';
  if (buf_append(&p->stdin_buf, data, len))
    abort(); /* callers stop at a few MiB, see process_stdin_pending */
  if (!p->stdin_watch)
    flush_stdin(p);
}

void process_close_stdin(Process *p) {
  if (p->stdin_fd < 0)
    return;
  p->stdin_closing = true;
  if (p->stdin_buf.len == 0)
    end_stdin(p);
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
  if (p->keys && !p->reaped)
    terminal_keys_send(p->out[0].fd, p->pid, SIGWINCH);
}

void process_abandon(Process *p) {
  if (p->terminal && !p->reaped)
    session_hang_up(p->pid, tcgetpgrp(p->out[0].fd));
  else
    end_session(p);
  p->handlers = (ProcessHandlers){0};
  close_stdin(p);
  process_pause_output(p, false);
  loop_timer_stop(p->timer);
  if (p->reaped && drained(p))
    process_free(p);
}
