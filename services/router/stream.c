/* See stream.h.
 *
 * Bytes are read into a block on the stack and shown from there, so an idle connection holds no buffer and
 * bytes that can leave at once are never copied. What must not happen inside a function (a handler's call) is
 * put off to a timer of no delay, the kick.
 */
#include "services/router/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"

enum { READ_BLOCK = 64 << 10 };

/* Writers stop at STREAM_HIGH; one more message of the largest size may be on its way to them. */
enum { OUT_MAX = STREAM_HIGH + (16 << 20) };

struct Stream {
  int fd;
  LoopFd *watch;
  LoopTimer *kick;
  StreamHandlers handlers;
  void *arg;
  Buf in;
  Buf out;
  size_t out_at; /* sent of out */
  uint64_t sent;
  int failed; /* errno of the read that broke it */
  bool deaf;  /* the peer takes nothing more */
  int depth;  /* of handlers under way */
  bool dead;
  bool paused;
  bool eof, eof_told;
  bool high; /* pending was at STREAM_HIGH: on_drain is due */
  bool ending, ended;
};

static void on_event(int events, void *arg);
static void on_kick(void *arg);

Stream *stream_new(Loop *loop, int fd, size_t in_max, const StreamHandlers *handlers, void *arg) {
  Stream *s = new0(Stream);
  s->fd = fd;
  s->handlers = *handlers;
  s->arg = arg;
  s->in = BUF_INIT(in_max);
  s->out = BUF_INIT(OUT_MAX);
  s->watch = loop_fd_new(loop, fd, LOOP_READ, on_event, s);
  s->kick = loop_timer_new(loop, on_kick, s);
  return s;
}

static void release(Stream *s) {
  buf_deinit(&s->in);
  buf_deinit(&s->out);
  free(s);
}

void stream_free(Stream *s) {
  if (!s)
    return;
  loop_fd_free(s->watch);
  loop_timer_free(s->kick);
  close(s->fd);
  s->dead = true;
  if (s->depth == 0)
    release(s);
}

size_t stream_pending(const Stream *s) {
  return s->out.len - s->out_at;
}

uint64_t stream_sent(const Stream *s) {
  return s->sent;
}

static void enter(Stream *s) {
  s->depth++;
}

/* False: the stream is gone. */
static bool leave(Stream *s) {
  if (--s->depth > 0 || !s->dead)
    return !s->dead;
  release(s);
  return false;
}

static void update_events(Stream *s) {
  bool room = s->in.len < s->in.max;
  int events = 0;
  if (!s->failed && !s->eof && !s->paused && room)
    events |= LOOP_READ;
  if (!s->failed && stream_pending(s) > 0)
    events |= LOOP_WRITE;
  loop_fd_set(s->watch, events);
}

static void fail(Stream *s, int errnum) {
  if (s->failed)
    return;
  s->failed = errnum;
  s->deaf = true;
  s->out.len = s->out_at = 0;
  loop_timer_start(s->kick, 0);
}

/* ---- Sending ---- */

/* Sends what it can of data; the number of bytes. */
static size_t send_some(Stream *s, const uint8_t *data, size_t len) {
  size_t at = 0;
  while (at < len) {
    ssize_t n = send(s->fd, data + at, len - at, MSG_NOSIGNAL);
    if (n >= 0) {
      at += (size_t)n;
    } else if (errno != EINTR) {
      /* ENOTCONN: a TCP route that is still connecting */
      if (errno != EAGAIN && errno != ENOTCONN)
        s->deaf = true;
      break;
    }
  }
  s->sent += at;
  return at;
}

static void end_if_due(Stream *s) {
  if (!s->ending || s->ended || s->deaf || stream_pending(s) > 0)
    return;
  s->ended = true;
  /* fails only on a connection that is gone, which reading tells as well */
  shutdown(s->fd, SHUT_WR);
}

static void flush(Stream *s) {
  s->out_at += send_some(s, s->out.data + s->out_at, s->out.len - s->out_at);
  if (!s->deaf && s->out_at < s->out.len)
    return;
  s->out.len = s->out_at = 0;
  if (s->out.cap > STREAM_HIGH)
    buf_deinit(&s->out);
  end_if_due(s);
}

void stream_write(Stream *s, const void *data, size_t len) {
  if (s->deaf || s->ending)
    return;
  size_t at = stream_pending(s) ? 0 : send_some(s, data, len);
  if (s->deaf || at == len)
    return;
  if (s->out_at > 0) {
    buf_consume(&s->out, s->out_at);
    s->out_at = 0;
  }
  if (buf_append(&s->out, (const uint8_t *)data + at, len - at) != 0)
    fail(s, ENOBUFS);
  else if (stream_pending(s) >= STREAM_HIGH)
    s->high = true;
  update_events(s);
}

void stream_printf(Stream *s, const char *fmt, ...) {
  CLEANUP(buf_deinit) Buf text = {0};
  va_list ap;
  va_start(ap, fmt);
  int rc = buf_vprintf(&text, fmt, ap);
  va_end(ap);
  if (rc != 0)
    fail(s, ENOBUFS);
  else
    stream_write(s, text.data, text.len);
}

void stream_end(Stream *s) {
  s->ending = true;
  end_if_due(s);
}

void stream_reset_on_close(Stream *s) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  /* best effort: an orderly end of a cut answer is still detected by its length */
  if (setsockopt(s->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) != 0)
    return;
}

/* ---- Receiving ---- */

/* Shows data until the owner uses no more of it; what is left. */
static size_t show(Stream *s, const uint8_t *data, size_t len) {
  size_t at = 0;
  while (at < len && !s->paused && !s->dead) {
    size_t n = s->handlers.on_data(s->arg, data + at, len - at);
    if (n == 0)
      break;
    at += n;
  }
  return len - at;
}

static void show_kept(Stream *s) {
  size_t left = show(s, s->in.data, s->in.len);
  if (s->dead)
    return;
  buf_consume(&s->in, s->in.len - left);
  if (s->in.len == 0 && s->in.cap > READ_BLOCK)
    buf_deinit(&s->in);
}

static void take(Stream *s, const uint8_t *data, size_t len) {
  if (s->in.len == 0) {
    size_t left = show(s, data, len);
    if (s->dead)
      return;
    data += len - left;
    len = left;
    if (len == 0)
      return;
    /* fits: no more was read than there is room for */
    if (buf_append(&s->in, data, len) != 0)
      fail(s, ENOBUFS);
    return;
  }
  if (buf_append(&s->in, data, len) != 0)
    fail(s, ENOBUFS);
  else
    show_kept(s);
}

static void tell_eof(Stream *s) {
  if (!s->eof || s->eof_told || s->paused || s->in.len > 0 || s->dead)
    return;
  s->eof_told = true;
  s->handlers.on_eof(s->arg);
}

static void read_some(Stream *s) {
  uint8_t block[READ_BLOCK];
  size_t room = s->in.max - s->in.len;
  ssize_t n = recv(s->fd, block, room < sizeof block ? room : sizeof block, 0);
  if (n > 0)
    take(s, block, (size_t)n);
  else if (n == 0)
    s->eof = true;
  else if (errno != EAGAIN && errno != EINTR)
    fail(s, errno);
}

static void on_event(int events, void *arg) {
  Stream *s = arg;
  enter(s);
  /* an error or hang-up arrives as both events, also when neither was asked for */
  if (events & LOOP_WRITE && stream_pending(s) > 0)
    flush(s);
  if (s->high && stream_pending(s) < STREAM_LOW) {
    s->high = false;
    if (s->handlers.on_drain)
      s->handlers.on_drain(s->arg);
  }
  if (!s->dead && events & LOOP_READ && !s->paused && !s->eof && !s->failed && s->in.len < s->in.max)
    read_some(s);
  if (!s->dead)
    tell_eof(s);
  if (leave(s))
    update_events(s);
}

static void on_kick(void *arg) {
  Stream *s = arg;
  enter(s);
  if (s->failed) {
    s->handlers.on_error(s->arg, s->failed);
  } else if (!s->paused) {
    if (s->in.len > 0)
      show_kept(s);
    if (!s->dead)
      tell_eof(s);
  }
  if (leave(s))
    update_events(s);
}

void stream_pause(Stream *s) {
  s->paused = true;
  update_events(s);
}

void stream_resume(Stream *s) {
  if (!s->paused)
    return;
  s->paused = false;
  stream_show_again(s);
  update_events(s);
}

void stream_show_again(Stream *s) {
  if (s->in.len > 0 || (s->eof && !s->eof_told))
    loop_timer_start(s->kick, 0);
}
