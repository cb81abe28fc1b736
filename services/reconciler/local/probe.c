/* See probe.h. */
#include "services/reconciler/local/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/wire/wire.h"
#include "lib/wire/wire_connect.h"

struct Probe {
  int fd;
  LoopFd *watch;
  LoopTimer *timer;
  Buf in;
  void (*fn)(void *arg, bool ok);
  void *arg;
};

void probe_free(Probe *p) {
  if (!p)
    return;
  loop_fd_free(p->watch);
  loop_timer_free(p->timer);
  if (p->fd >= 0)
    close(p->fd);
  buf_deinit(&p->in);
  free(p);
}

static void finish(Probe *p, bool ok) {
  void (*fn)(void *, bool) = p->fn;
  void *arg = p->arg;
  probe_free(p);
  fn(arg, ok);
}

static void on_timer(void *arg) {
  finish(arg, false);
}

static bool status_is_ok(const WireFrame *f) {
  Sandplane__Internal__V1__RuntimeStatus *s = sandplane__internal__v1__runtime_status__unpack(NULL, f->len, f->payload);
  bool ok = s && s->code == 0;
  if (s)
    sandplane__internal__v1__runtime_status__free_unpacked(s, NULL);
  return ok;
}

static void on_readable(int events, void *arg) {
  Probe *p = arg;
  uint8_t *to = buf_reserve(&p->in, 4096);
  ssize_t n = to ? recv(p->fd, to, 4096, MSG_DONTWAIT) : 0;
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n <= 0)
    return finish(p, false);
  p->in.len += (size_t)n;
  WireFrame frame;
  size_t used;
  Error err;
  int rc = wire_parse(p->in.data, p->in.len, &frame, &used, &err);
  if (rc == WIRE_MORE)
    return;
  finish(p, rc == 0 && frame.type == WIRE_STATUS && status_is_ok(&frame));
}

Probe *probe_new(Loop *loop, const char *route, int64_t timeout_ms, void (*fn)(void *arg, bool ok), void *arg) {
  Probe *p = new0(Probe);
  *p = (Probe){.fn = fn, .arg = arg, .in = BUF_INIT(65536)};
  p->timer = loop_timer_new(loop, on_timer, p);
  Error err;
  uint8_t payload[32];
  Buf out = BUF_INIT(256);
  Sandplane__Internal__V1__RuntimeOpen open = SANDPLANE__INTERNAL__V1__RUNTIME_OPEN__INIT;
  open.method = "Ping";
  size_t len = sandplane__internal__v1__runtime_open__pack(&open, payload);
  p->fd = wire_connect(route, &err);
  bool sent = p->fd >= 0 && wire_append(&out, WIRE_OPEN, payload, len) == 0 &&
              send(p->fd, out.data, out.len, MSG_NOSIGNAL) == (ssize_t)out.len;
  buf_deinit(&out);
  if (sent)
    p->watch = loop_fd_new(loop, p->fd, LOOP_READ, on_readable, p);
  /* a failure is told from the loop, like everything else */
  loop_timer_start(p->timer, sent ? timeout_ms : 0);
  return p;
}
