/* See relay.h. */
#include "runtime/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "runtime/peer.h"

#define PENDING_MAX ((size_t)64 << 10)

typedef struct Side {
  struct Relay *relay;
  int fd;
  LoopFd *watch;
  Buf out; /* for this side */
  bool eof, shut;
} Side;

/* How often it is looked whether a caller that only sends no more has gone meanwhile: no event says that. */
#define LOOK_MS 1000

typedef struct Relay {
  Side side[2];
  LoopTimer *half_open;
} Relay;

static void relay_free(Relay *r) {
  for (int i = 0; i < 2; i++) {
    loop_fd_free(r->side[i].watch);
    close(r->side[i].fd);
    buf_deinit(&r->side[i].out);
  }
  loop_timer_free(r->half_open);
  free(r);
}

static Side *other(Side *s) {
  return &s->relay->side[s == &s->relay->side[0]];
}

/* false: the connection broke. */
static bool flush(Side *s) {
  while (s->out.len) {
    ssize_t n = send(s->fd, s->out.data, s->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno == EAGAIN;
    buf_consume(&s->out, (size_t)n);
  }
  if (other(s)->eof && !s->shut) {
    s->shut = true;
    shutdown(s->fd, SHUT_WR);
  }
  return true;
}

static bool fill(Side *s) {
  Buf *to = &other(s)->out;
  if (to->len >= PENDING_MAX)
    return true;
  uint8_t *p = buf_reserve(to, PENDING_MAX - to->len);
  ssize_t n = recv(s->fd, p, PENDING_MAX - to->len, MSG_DONTWAIT);
  if (n < 0)
    return errno == EAGAIN || errno == EINTR;
  if (n == 0)
    s->eof = true;
  to->len += (size_t)n;
  return true;
}

static void arm(Side *s) {
  bool read = !s->eof && other(s)->out.len < PENDING_MAX;
  loop_fd_set(s->watch, (read ? LOOP_READ : 0) | (s->out.len ? LOOP_WRITE : 0));
}

static void on_io(int events, void *arg) {
  Side *s = arg;
  Relay *r = s->relay;
  bool fine = !(events & LOOP_READ) || fill(s);
  fine = fine && flush(s) && flush(other(s));
  /* the caller, and what it sent has been handed on: nobody is there for an answer */
  bool gone = r->side[0].eof && r->side[1].out.len == 0 && peer_is_gone(r->side[0].fd);
  if (!fine || gone || (r->side[0].shut && r->side[1].shut))
    return relay_free(r);
  if (r->side[0].eof || r->side[1].eof)
    loop_timer_start(r->half_open, LOOK_MS);
  arm(&r->side[0]);
  arm(&r->side[1]);
}

static void on_half_open(void *arg) {
  Relay *r = arg;
  if (peer_is_gone(r->side[0].fd))
    relay_free(r);
  else
    loop_timer_start(r->half_open, LOOK_MS);
}

void relay_start(Loop *loop, int a, int b, const void *to_a, size_t to_a_len, const void *to_b, size_t to_b_len) {
  Relay *r = new0(Relay);
  r->side[0] = (Side){.relay = r, .fd = a};
  r->side[1] = (Side){.relay = r, .fd = b};
  r->half_open = loop_timer_new(loop, on_half_open, r);
  if (buf_append(&r->side[0].out, to_a, to_a_len) || buf_append(&r->side[1].out, to_b, to_b_len))
    abort();
  for (int i = 0; i < 2; i++)
    r->side[i].watch = loop_fd_new(loop, r->side[i].fd, LOOP_READ | LOOP_WRITE, on_io, &r->side[i]);
}
