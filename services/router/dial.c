/* See dial.h. */
#include "services/router/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/wire/wire_connect.h"
#include "services/router/target.h"

#define POD "pod:"

struct Dial {
  LoopTimer *refused; /* what failed at once is told later, too */
  LoopFd *watch;
  int fd;
  void (*fn)(void *arg, int fd);
  void *arg;
};

bool dial_is_pod(const char *route) {
  return str_starts_with(route, POD);
}

void dial_free(Dial *d) {
  if (!d)
    return;
  loop_fd_free(d->watch);
  loop_timer_free(d->refused);
  if (d->fd >= 0)
    close(d->fd);
  free(d);
}

static void tell(Dial *d, int why) {
  void (*fn)(void *arg, int fd) = d->fn;
  void *arg = d->arg;
  int fd = why == 0 ? d->fd : -1;
  if (why == 0)
    d->fd = -1;
  dial_free(d);
  errno = why;
  fn(arg, fd);
}

static void on_refused(void *arg) {
  tell(arg, EHOSTUNREACH);
}

static void on_writable(int events, void *arg) {
  Dial *d = arg;
  int why = 0;
  socklen_t len = sizeof why;
  tell(d, getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &why, &len) == 0 ? why : errno);
}

/* A Pod that is killed, or its Node, may send nothing any more: gVisor's network ends with it. */
static void keep_alive(int fd) {
  static const struct {
    int level, name, value;
  } OPTIONS[] = {
      {SOL_SOCKET, SO_KEEPALIVE, 1}, {IPPROTO_TCP, TCP_KEEPIDLE, 10},        {IPPROTO_TCP, TCP_KEEPINTVL, 5},
      {IPPROTO_TCP, TCP_KEEPCNT, 3}, {IPPROTO_TCP, TCP_USER_TIMEOUT, 25000},
  };
  /* one that cannot be set makes an end be noticed later */
  for (size_t i = 0; i < ARRAY_LEN(OPTIONS); i++)
    if (setsockopt(fd, OPTIONS[i].level, OPTIONS[i].name, &OPTIONS[i].value, sizeof OPTIONS[i].value) != 0)
      errno = 0;
}

Dial *dial_new(Loop *loop, const char *pod_route, uint16_t port, bool allow_local, void (*fn)(void *arg, int fd),
               void *arg) {
  Dial *d = new0(Dial);
  const char *ip = pod_route + strlen(POD);
  CLEANUP(str_freep) char *route = str_printf(strchr(ip, ':') ? "tcp:[%s]:%u" : "tcp:%s:%u", ip, (unsigned)port);
  Error err;
  /* the address comes from an object's status, which others than Kubernetes may be allowed to write */
  *d = (Dial){.fn = fn, .arg = arg};
  d->fd = allow_local || target_is_routable(ip) ? wire_connect(route, &err) : -1;
  d->refused = loop_timer_new(loop, on_refused, d);
  if (d->fd >= 0)
    keep_alive(d->fd);
  if (d->fd >= 0)
    d->watch = loop_fd_new(loop, d->fd, LOOP_WRITE, on_writable, d);
  else
    loop_timer_start(d->refused, 0);
  return d;
}
