/* See pump.h. */
#include "cli/sandbox/pump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/text/table.h"
#include "lib/base/clock.h"

/* A transfer that is over sooner needs no progress. */
enum { PROGRESS_FIRST_MS = 500, PROGRESS_EVERY_MS = 200 };

struct Pump {
  PumpConfig config;
  LoopFd *ready;    /* NULL: a regular file, always ready */
  LoopTimer *start; /* its first read, on the loop */
  int64_t sent, next_progress_ms;
  int error;
  bool ended, shown;
  uint8_t chunk[PUMP_CHUNK];
};

static void progress(Pump *p, bool last) {
  int64_t now = clock_mono_ms();
  char done[16], total[16];
  if (!p->config.progress || (last ? !p->shown : now < p->next_progress_ms))
    return;
  p->next_progress_ms = now + PROGRESS_EVERY_MS;
  p->shown = true;
  table_size(p->sent, done);
  table_size(p->config.total, total);
  if (p->config.total)
    fprintf(stderr, "\r%s: %s of %s\033[K", p->config.progress, done, total);
  else
    fprintf(stderr, "\r%s: %s\033[K", p->config.progress, done);
  if (last)
    fputc('\n', stderr);
}

static void end(Pump *p) {
  p->ended = true;
  loop_fd_free(p->ready);
  p->ready = NULL;
  progress(p, true);
}

/* false: nothing more to read now. */
static bool read_one(Pump *p) {
  ssize_t n = read(p->config.fd, p->chunk, sizeof p->chunk);
  if (n < 0 && (errno == EINTR || errno == EAGAIN))
    return false;
  if (n <= 0) {
    p->error = n < 0 ? errno : 0;
    end(p);
    if (p->error)
      rpc_client_cancel(p->config.call);
    else
      rpc_client_half_close(p->config.call);
    return false;
  }
  p->config.send(p->config.call, p->chunk, (size_t)n);
  p->sent += n;
  progress(p, false);
  return true;
}

static bool full(const Pump *p) {
  return rpc_client_pending_bytes(p->config.call) >= PUMP_PENDING_MAX;
}

static void on_ready(int events, void *arg) {
  Pump *p = arg;
  if (p->ended)
    return;
  read_one(p);
  if (p->ready)
    loop_fd_set(p->ready, full(p) ? 0 : LOOP_READ);
}

static void on_start(void *arg) {
  Pump *p = arg;
  while (!p->ended && !full(p) && read_one(p))
    continue;
}

void pump_written(Pump *p) {
  if (!p || p->ended || full(p))
    return;
  if (p->ready)
    loop_fd_set(p->ready, LOOP_READ);
  else
    on_start(p);
}

Pump *pump_new(const PumpConfig *config) {
  Pump *p = calloc(1, sizeof *p);
  struct stat st;
  if (!p)
    abort();
  p->config = *config;
  p->next_progress_ms = clock_mono_ms() + PROGRESS_FIRST_MS;
  /* epoll takes neither files nor most character devices, and they never block for long */
  bool waits = fstat(config->fd, &st) == 0 &&
               (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || (S_ISCHR(st.st_mode) && isatty(config->fd)));
  if (waits) {
    p->ready = loop_fd_new(config->loop, config->fd, LOOP_READ, on_ready, p);
  } else {
    p->start = loop_timer_new(config->loop, on_start, p);
    loop_timer_start(p->start, 0);
  }
  return p;
}

bool pump_ended(const Pump *p) {
  return p && p->ended;
}

int pump_error(const Pump *p) {
  return p ? p->error : 0;
}

void pump_free(Pump *p) {
  if (!p)
    return;
  loop_fd_free(p->ready);
  loop_timer_free(p->start);
  free(p);
}
