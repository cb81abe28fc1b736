/* See dial.h. */
#include "services/router/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/loop/stream_connect.h"
#include "services/router/target.h"

#define POD "pod:"

struct Dial {
  LoopTimer *refused; /* what is not tried is told later, too */
  StreamConnect *connect;
  void (*fn)(void *arg, int fd);
  void *arg;
};

bool dial_is_pod(const char *route) {
  return str_starts_with(route, POD);
}

void dial_free(Dial *d) {
  if (!d)
    return;
  stream_connect_free(d->connect);
  loop_timer_free(d->refused);
  free(d);
}

static void on_connected(void *arg, int fd, int errnum) {
  Dial *d = arg, told = *d;
  d->connect = NULL;
  dial_free(d);
  errno = errnum;
  told.fn(told.arg, fd);
}

static void on_refused(void *arg) {
  on_connected(arg, -1, EHOSTUNREACH);
}

Dial *dial_new(Loop *loop, const char *pod_route, uint16_t port, bool allow_local, void (*fn)(void *arg, int fd),
               void *arg) {
  /* a Pod that is killed, or its Node, may send nothing any more: gVisor's network ends with it */
  static const StreamKeepalive KEEPALIVE = {.idle_s = 10, .interval_s = 5, .count = 3, .unacked_ms = 25000};
  Dial *d = new0(Dial);
  const char *ip = pod_route + strlen(POD);
  *d = (Dial){.fn = fn, .arg = arg, .refused = loop_timer_new(loop, on_refused, d)};
  Address to = {.kind = ADDRESS_TCP, .port = port};
  /* the address comes from an object's status, which others than Kubernetes may be allowed to write */
  bool fits = (size_t)snprintf(to.host, sizeof to.host, "%s", ip) < sizeof to.host;
  if (fits && (allow_local || target_is_routable(ip)))
    d->connect = stream_connect(loop, &to, 0, &KEEPALIVE, on_connected, d);
  else
    loop_timer_start(d->refused, 0);
  return d;
}
