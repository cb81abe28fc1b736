/* See stream.h.
 *
 * Bytes are read into a block on the stack and shown from there, so an idle connection holds no buffer and
 * bytes that can leave at once are never copied. What must not happen inside a function (a handler's call) is
 * put off to a timer of no delay, the kick.
 */
#include "lib/loop/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/loop/stream_carrier.h"

enum { READ_BLOCK = 64 << 10 };

struct Stream {
  int fd;
  StreamCarrier *carrier; /* NULL: the socket itself */
  int read_on, write_on;  /* the events by which each goes on */
  LoopFd *watch;
  LoopTimer *kick;
  StreamHandlers handlers;
  void *arg;
  Buf in;
  Buf out;
  size_t out_at; /* sent of out */
  uint64_t sent;
  int failed; /* errno of what broke it */
  bool deaf;  /* the peer takes nothing more */
  int depth;  /* of handlers under way */
  bool dead;
  bool paused;
  bool eof, eof_told, hangup_told;
  bool high;   /* pending was at STREAM_HIGH: on_drain is due */
  bool queued; /* pieces wait for the end of the handler or the turn */
  bool waited; /* something is in out, or was: on_flushed is due */
  bool ending, ended;
};

static void on_event(int events, void *arg);
static void on_kick(void *arg);

Stream *stream_new_carried(Loop *loop, int fd, StreamCarrier *carrier, int first, size_t in_max,
                           const StreamHandlers *handlers, void *arg) {
  Stream *s = new0(Stream);
  s->fd = fd;
  s->carrier = carrier;
  s->read_on = first;
  s->write_on = LOOP_WRITE;
  s->handlers = *handlers;
  s->arg = arg;
  s->in = BUF_INIT(in_max);
  /* writers stop at STREAM_HIGH, give or take the largest message that they have */
  s->out = BUF_INIT(BUF_MAX_DEFAULT);
  s->watch = loop_fd_new(loop, fd, first, on_event, s);
  s->kick = loop_timer_new(loop, on_kick, s);
  return s;
}

Stream *stream_new(Loop *loop, int fd, size_t in_max, const StreamHandlers *handlers, void *arg) {
  return stream_new_carried(loop, fd, NULL, LOOP_READ, in_max, handlers, arg);
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
  if (s->carrier)
    s->carrier->free(s->carrier);
  close(s->fd);
  s->dead = true;
  if (s->depth == 0)
    release(s);
}

int stream_fd(const Stream *s) {
  return s->fd;
}

size_t stream_pending(const Stream *s) {
  return s->out.len - s->out_at;
}

uint64_t stream_sent(const Stream *s) {
  return s->sent;
}

const char *stream_trouble(const Stream *s) {
  return s->carrier ? s->carrier->trouble(s->carrier) : "";
}

static bool reads(const Stream *s) {
  return !s->dead && !s->failed && !s->eof && !s->paused && s->in.len < s->in.max;
}

/* Something is to be sent, if only the end. */
static bool waits(const Stream *s) {
  return !s->dead && !s->failed && !s->deaf && (stream_pending(s) > 0 || (s->ending && !s->ended));
}

static void update_events(Stream *s) {
  if (s->depth > 0)
    return; /* once, when the handler has returned */
  int events = reads(s) ? s->read_on : 0;
  if (!events && s->handlers.on_hangup && !s->hangup_told && !s->failed)
    events = LOOP_CLOSED;
  loop_fd_set(s->watch, events | (waits(s) ? s->write_on : 0));
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

static void mute(Stream *s, int errnum) {
  s->deaf = true;
  if (s->handlers.must_write)
    fail(s, errnum);
}

/* Of one call that sends; whether there may be another. */
static bool sent_some(Stream *s, ssize_t n, size_t *at) {
  if (n >= 0) {
    *at += (size_t)n;
    s->sent += (size_t)n;
    return true;
  }
  /* ENOTCONN: a TCP route that is still connecting */
  if (errno != EINTR && errno != EAGAIN && errno != ENOTCONN)
    mute(s, errno);
  return errno == EINTR;
}

/* Sends what it can of data; the number of bytes. */
static size_t send_some(Stream *s, const uint8_t *data, size_t len) {
  size_t at = 0;
  ssize_t n;
  s->write_on = LOOP_WRITE;
  do
    n = s->carrier ? s->carrier->write(s->carrier, data + at, len - at, &s->write_on)
                   : send(s->fd, data + at, len - at, MSG_NOSIGNAL);
  while (sent_some(s, n, &at) && at < len);
  return at;
}

/* The same for what is queued and data behind it, in one call. What is left of data is the caller's. */
static size_t send_both(Stream *s, const uint8_t *data, size_t len) {
  size_t first = stream_pending(s), at = 0;
  ssize_t n;
  do {
    struct iovec parts[] = {{.iov_base = s->out.data + s->out_at, .iov_len = first}, {(void *)data, len}};
    n = sendmsg(s->fd, &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_NOSIGNAL);
  } while (sent_some(s, n, &at) && at == 0);
  s->queued = false;
  if (at < first && !s->deaf) {
    s->out_at += at;
    return 0;
  }
  s->out.len = s->out_at = 0;
  return s->deaf ? 0 : at - first;
}

static void end_if_due(Stream *s) {
  if (!s->ending || s->ended || s->deaf || stream_pending(s) > 0)
    return;
  if (s->carrier && s->carrier->end(s->carrier, &s->write_on) != 0) {
    if (errno != EAGAIN)
      mute(s, errno);
    return;
  }
  s->ended = true;
  /* fails only on a connection that is gone, which reading tells as well */
  shutdown(s->fd, SHUT_WR);
}

static void flush(Stream *s) {
  s->queued = false;
  if (stream_pending(s) > 0)
    s->out_at += send_some(s, s->out.data + s->out_at, s->out.len - s->out_at);
  if (!s->deaf && s->out_at < s->out.len)
    return;
  s->out.len = s->out_at = 0;
  if (s->out.cap > STREAM_HIGH)
    buf_deinit(&s->out);
  end_if_due(s);
}

static void keep(Stream *s, const void *data, size_t len) {
  if (s->out_at > 0) {
    buf_consume(&s->out, s->out_at);
    s->out_at = 0;
  }
  s->waited = true;
  if (buf_append(&s->out, data, len) != 0)
    fail(s, ENOBUFS);
  else if (stream_pending(s) >= STREAM_HIGH)
    s->high = true;
}

void stream_write(Stream *s, const void *data, size_t len) {
  if (s->deaf || s->ending || len == 0)
    return;
  size_t at = 0;
  if (stream_pending(s) == 0)
    at = send_some(s, data, len);
  else if (s->queued && !s->carrier)
    at = send_both(s, data, len);
  if (s->deaf || at == len)
    return;
  keep(s, (const uint8_t *)data + at, len - at);
  update_events(s);
}

void stream_queue(Stream *s, const void *data, size_t len) {
  if (s->deaf || s->ending || len == 0)
    return;
  /* what waits for the socket already leaves by its event */
  bool first = stream_pending(s) == 0;
  keep(s, data, len);
  if (!first || s->failed)
    return;
  s->queued = true;
  if (s->depth == 0)
    loop_timer_start(s->kick, 0);
}

void stream_flush(Stream *s) {
  if (!s->queued || !waits(s))
    return;
  flush(s);
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
  update_events(s);
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

/* What is not used is kept; it fits, for no more was read than there is room for. */
static void take(Stream *s, const uint8_t *data, size_t len) {
  bool alone = s->in.len == 0;
  size_t left = alone ? show(s, data, len) : len;
  if (s->dead || left == 0)
    return;
  if (buf_append(&s->in, data + (len - left), left) != 0)
    fail(s, ENOBUFS);
  else if (!alone)
    show_kept(s);
}

static void tell_hangup(Stream *s) {
  if (s->hangup_told || s->dead || !s->handlers.on_hangup)
    return;
  s->hangup_told = true;
  s->handlers.on_hangup(s->arg);
}

static void tell_eof(Stream *s) {
  if (!s->eof || s->eof_told || s->paused || s->in.len > 0 || s->dead)
    return;
  s->eof_told = true;
  s->handlers.on_eof(s->arg);
}

/* Once; the number of bytes. */
static size_t read_some(Stream *s) {
  uint8_t block[READ_BLOCK];
  size_t room = s->in.max - s->in.len, len = room < sizeof block ? room : sizeof block;
  s->read_on = LOOP_READ;
  ssize_t n = s->carrier ? s->carrier->read(s->carrier, block, len, &s->read_on) : recv(s->fd, block, len, 0);
  if (n > 0) {
    take(s, block, (size_t)n);
    return (size_t)n;
  }
  if (n == 0) {
    s->eof = true;
    tell_hangup(s);
  } else if (errno != EAGAIN && errno != EINTR) {
    fail(s, errno);
  }
  return 0;
}

/* What a carrier holds is told by no event. */
static void read_turn(Stream *s) {
  size_t n, all = 0;
  bool more;
  do {
    n = read_some(s);
    all += n;
    more = n > 0 && reads(s) && s->carrier && s->carrier->holds(s->carrier);
  } while (more && all < READ_BLOCK);
  if (more)
    loop_timer_start(s->kick, 0);
}

/* ---- Events ---- */

static void enter(Stream *s) {
  s->depth++;
}

static void tell_sent(Stream *s) {
  if (s->high && !s->dead && !s->failed && stream_pending(s) < STREAM_LOW) {
    s->high = false;
    if (s->handlers.on_drain)
      s->handlers.on_drain(s->arg);
  }
  if (s->waited && !s->dead && !s->failed && stream_pending(s) == 0) {
    s->waited = false;
    if (s->handlers.on_flushed)
      s->handlers.on_flushed(s->arg);
  }
}

/* What handlers queued leaves, and what a carrier could not send before it had read. What is queued by those that are
 * told of it waits for the next writable event, so that one stream's flood does not hold up the others. */
static void leave(Stream *s) {
  if (waits(s) && (s->queued || s->carrier))
    flush(s);
  tell_sent(s);
  s->queued = false;
  s->depth--;
  if (!s->dead)
    update_events(s);
  else if (s->depth == 0)
    release(s);
}

static void on_event(int events, void *arg) {
  Stream *s = arg;
  enter(s);
  if (events & LOOP_CLOSED)
    tell_hangup(s);
  /* an error or hang-up arrives as both events, also when neither was asked for */
  if (events & s->write_on && waits(s))
    flush(s);
  if (events & s->read_on && reads(s))
    read_turn(s);
  tell_eof(s);
  leave(s);
}

static void on_kick(void *arg) {
  Stream *s = arg;
  enter(s);
  if (s->failed) {
    s->handlers.on_error(s->arg, s->failed);
  } else if (!s->paused) {
    if (s->in.len > 0)
      show_kept(s);
    if (reads(s) && s->carrier && s->carrier->holds(s->carrier))
      read_turn(s);
    tell_eof(s);
  }
  leave(s);
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
  if (s->in.len > 0 || (s->eof && !s->eof_told) || (s->carrier && s->carrier->holds(s->carrier)))
    loop_timer_start(s->kick, 0);
}

void stream_hand_over(Stream *s, size_t in_max, const StreamHandlers *handlers, void *arg) {
  s->handlers = *handlers;
  s->arg = arg;
  s->in.max = in_max;
  s->paused = s->hangup_told = s->eof_told = false;
  loop_timer_start(s->kick, 0);
  update_events(s);
}
