/* See probe.h. */
#include "services/reconciler/local/probe.h"

#include <stdlib.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/loop/stream.h"
#include "lib/wire/wire.h"
#include "lib/wire/wire_connect.h"

/* A status is short. */
enum { ANSWER_MAX = 64 << 10 };

struct Probe {
  Stream *stream; /* NULL: there is nobody to ask */
  LoopTimer *timer;
  void (*fn)(void *arg, bool ok);
  void *arg;
};

void probe_free(Probe *p) {
  if (!p)
    return;
  stream_free(p->stream);
  loop_timer_free(p->timer);
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

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  WireFrame frame;
  size_t used;
  Error err;
  int rc = wire_parse(data, len, &frame, &used, &err);
  if (rc == WIRE_MORE && len < ANSWER_MAX)
    return 0;
  finish(arg, rc == 0 && frame.type == WIRE_STATUS && status_is_ok(&frame));
  return len;
}

static void on_error(void *arg, int errnum) {
  finish(arg, false);
}

static const StreamHandlers HANDLERS = {
    .on_data = on_data, .on_eof = on_timer, .on_error = on_error, .must_write = true};

Probe *probe_new(Loop *loop, const char *route, int64_t timeout_ms, void (*fn)(void *arg, bool ok), void *arg) {
  Probe *p = new0(Probe);
  *p = (Probe){.fn = fn, .arg = arg};
  p->timer = loop_timer_new(loop, on_timer, p);
  Error err;
  uint8_t question[WIRE_HEADER_LEN + 32];
  Sandplane__Internal__V1__RuntimeOpen open = SANDPLANE__INTERNAL__V1__RUNTIME_OPEN__INIT;
  open.method = "Ping";
  size_t len = sandplane__internal__v1__runtime_open__pack(&open, question + WIRE_HEADER_LEN);
  wire_header(question, WIRE_OPEN, len);
  int fd = wire_connect(route, &err);
  if (fd >= 0) {
    p->stream = stream_new(loop, fd, ANSWER_MAX, &HANDLERS, p);
    stream_write(p->stream, question, WIRE_HEADER_LEN + len);
  }
  /* a failure is told from the loop, like everything else */
  loop_timer_start(p->timer, fd >= 0 ? timeout_ms : 0);
  return p;
}
