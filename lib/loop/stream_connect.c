/* See stream_connect.h. */
#include "lib/loop/stream_connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"

struct StreamConnect {
  int fd;
  int failed; /* errno of what failed at once, which is told from the loop like everything else */
  LoopFd *watch;
  LoopTimer *timer;
  void (*fn)(void *arg, int fd, int errnum);
  void *arg;
};

void stream_connect_free(StreamConnect *c) {
  if (!c)
    return;
  loop_fd_free(c->watch);
  loop_timer_free(c->timer);
  if (c->fd >= 0)
    close(c->fd);
  free(c);
}

static void tell(StreamConnect *c, int errnum) {
  StreamConnect told = *c;
  if (!errnum)
    c->fd = -1; /* the caller's */
  stream_connect_free(c);
  told.fn(told.arg, errnum ? -1 : told.fd, errnum);
}

static void on_timer(void *arg) {
  StreamConnect *c = arg;
  tell(c, c->failed ? c->failed : ETIMEDOUT);
}

static void on_writable(int events, void *arg) {
  StreamConnect *c = arg;
  int errnum = 0;
  socklen_t len = sizeof errnum;
  tell(c, getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &errnum, &len) == 0 ? errnum : errno);
}

/* One that cannot be set costs time, not the connection. */
static void set(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0)
    errno = 0;
}

static void set_options(int fd, const StreamKeepalive *keepalive) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (!keepalive)
    return;
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, keepalive->idle_s);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, keepalive->interval_s);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, keepalive->count);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, keepalive->unacked_ms);
}

/* 0, or the errno of what failed at once. */
static int begin(StreamConnect *c, const Address *to, const StreamKeepalive *keepalive) {
  struct sockaddr_storage at;
  socklen_t len = address_sockaddr(to, &at);
  if (len == 0)
    return EINVAL;
  c->fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->fd < 0)
    return errno;
  if (to->kind == ADDRESS_TCP)
    set_options(c->fd, keepalive);
  return connect(c->fd, (struct sockaddr *)&at, len) == 0 || errno == EINPROGRESS ? 0 : errno;
}

StreamConnect *stream_connect(Loop *loop, const Address *to, int64_t timeout_ms, const StreamKeepalive *keepalive,
                              void (*fn)(void *arg, int fd, int errnum), void *arg) {
  StreamConnect *c = new0(StreamConnect);
  *c = (StreamConnect){.fd = -1, .fn = fn, .arg = arg};
  c->timer = loop_timer_new(loop, on_timer, c);
  c->failed = begin(c, to, keepalive);
  if (!c->failed)
    c->watch = loop_fd_new(loop, c->fd, LOOP_WRITE, on_writable, c);
  if (c->failed || timeout_ms)
    loop_timer_start(c->timer, c->failed ? 0 : timeout_ms);
  return c;
}
