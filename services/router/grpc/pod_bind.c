/* See pod_bind.h. */
#include "services/router/grpc/pod_bind.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/loop/stream.h"
#include "services/router/dial.h"
#include "services/router/grpc/runtime_open.h"
#include "services/router/target.h"

struct PodBind {
  const Router *router;
  char *route, *id;
  bool binds, with_values;
  Buf bare, full; /* OPEN without and with the values */
  Dial *dial;
  Stream *stream;
  LoopTimer *timer;
  PodBindFn fn;
  void *arg;
};

static void dial(PodBind *b);

void pod_bind_free(PodBind *b) {
  if (!b)
    return;
  dial_free(b->dial);
  stream_free(b->stream);
  loop_timer_free(b->timer);
  buf_deinit(&b->bare);
  buf_deinit(&b->full);
  free(b->route);
  free(b->id);
  free(b);
}

static void end(PodBind *b, const Error *err) {
  PodBindFn fn = b->fn;
  void *arg = b->arg;
  Error own = err ? *err : (Error){0};
  pod_bind_free(b);
  fn(arg, err ? &own : NULL);
}

static void no_runtime(PodBind *b) {
  Error err;
  error_set(&err, ERROR_FAILED_PRECONDITION, "no runtime of Sandplane's answers on port %d of sandbox \"%s\"",
            TARGET_RUNTIME_PORT, b->id);
  end(b, &err);
}

static void unreachable(PodBind *b, const char *why) {
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "the address of sandbox \"%s\" does not answer: %s", b->id, why);
  end(b, &err);
}

static void on_status(PodBind *b, Error *err) {
  if (err->kind == ERROR_FAILED_PRECONDITION && str_equal(err->message, RUNTIME_UNBOUND) && !b->with_values) {
    stream_free(b->stream);
    b->stream = NULL;
    b->with_values = true;
    dial(b);
    return;
  }
  if (err->kind == ERROR_NOT_FOUND)
    error_set(err, ERROR_FAILED_PRECONDITION, "what answers at the address of sandbox \"%s\" is not called so", b->id);
  else if (err->kind == ERROR_NONE) /* never before it was let in */
    error_set(err, ERROR_FAILED_PRECONDITION, "the runtime of sandbox \"%s\" does not speak as it should", b->id);
  end(b, err);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  PodBind *b = arg;
  Error status;
  size_t used;
  switch (runtime_first_answer(data, len, &used, &status)) {
  case RUNTIME_MORE:
    return 0;
  case RUNTIME_ACCEPTED:
    end(b, NULL);
    break;
  case RUNTIME_ENDED:
    on_status(b, &status);
    break;
  case RUNTIME_STRANGER:
    no_runtime(b);
    break;
  }
  return len;
}

static void on_eof(void *arg) {
  no_runtime(arg);
}

static void on_error(void *arg, int errnum) {
  no_runtime(arg);
}

static const StreamHandlers STREAM_HANDLERS = {.on_data = on_data, .on_eof = on_eof, .on_error = on_error};

static void on_dialled(void *arg, int fd) {
  PodBind *b = arg;
  int why = errno;
  b->dial = NULL;
  if (fd < 0)
    return unreachable(b, strerror(why));
  const Buf *open = b->with_values ? &b->full : &b->bare;
  b->stream = stream_new(b->router->loop, fd, WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD, &STREAM_HANDLERS, b);
  stream_write(b->stream, open->data, open->len);
}

static void dial(PodBind *b) {
  b->dial =
      dial_new(b->router->loop, b->route, TARGET_RUNTIME_PORT, b->router->config->allow_loopback_pod_ip, on_dialled, b);
}

static void on_time(void *arg) {
  PodBind *b = arg;
  if (b->stream)
    no_runtime(b);
  else
    unreachable(b, strerror(ETIMEDOUT));
}

PodBind *pod_bind_new(const Router *router, const SandboxRecord *record, bool bind, PodBindFn fn, void *arg) {
  PodBind *b = new0(PodBind);
  *b = (PodBind){.router = router,
                 .route = str_dup(record->route),
                 .id = str_dup(record->id),
                 .fn = fn,
                 .arg = arg,
                 .bare = BUF_INIT(0),
                 .full = BUF_INIT(0)};
  /* what is let in is bound, before anything else of the call; it ends there */
  if (runtime_open_bare(&b->bare, bind ? "Stat" : "Ping", record, 0) != 0 ||
      (bind && runtime_open(&b->full, "Stat", record, 0, 0, NULL) != 0))
    abort(); /* the state takes values of a few dozen KiB at most */
  b->timer = loop_timer_new(router->loop, on_time, b);
  loop_timer_start(b->timer, POD_BIND_MS);
  dial(b);
  return b;
}
