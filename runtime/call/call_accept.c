/* See call.h. The connection of one call: frames in, let in by its claim, handed to its method. */
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/rpc/rpc_pb_check.h"
#include "runtime/call/call_state.h"
#include "runtime/call/methods.h"
#include "runtime/peer.h"

#define READ_CHUNK (64 << 10)
/* A whole frame and the beginning of the next. */
#define IN_MAX (WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD + READ_CHUNK)
/* Who connects must say what for within this time. */
#define OPEN_TIMEOUT_MS 10000
/* After the status, what the caller was still sending is read and dropped for this long: closing on it would
 * break its writes and might cost it the status. */
#define LINGER_MS 2000

/* ---- letting in ---- */

static int bind_from(Runtime *rt, const Sandplane__Internal__V1__RuntimeOpen *open, Error *err) {
  const Sandplane__Internal__V1__RuntimeBind *b = open->bind;
  size_t n = b ? b->n_env : 0;
  const char **names = calloc(n + 1, sizeof *names), **values = calloc(n + 1, sizeof *values);
  if (!names || !values)
    abort();
  for (size_t i = 0; i < n; i++) {
    names[i] = b->env[i]->key;
    values[i] = b->env[i]->value;
  }
  int rc = runtime_bind(rt, open->claim_uid, b != NULL, names, values, n, err);
  free(names);
  free(values);
  return rc;
}

/* Addresses are used again: before anything is bound, the caller must mean us. */
static int is_meant(const Call *c, const Sandplane__Internal__V1__RuntimeOpen *open, Error *err) {
  const char *own = c->rt->sandbox;
  if (*own && strcmp(open->sandbox, own) == 0)
    return 0;
  return error_set(err, ERROR_NOT_FOUND, "the host that answers is not called like the sandbox");
}

static int let_in(Call *c, const WireFrame *frame, Error *err) {
  Sandplane__Internal__V1__RuntimeOpen *open =
      sandplane__internal__v1__runtime_open__unpack(NULL, frame->len, frame->payload);
  if (!open)
    return error_set(err, ERROR_INVALID_ARGUMENT, "OPEN is not a RuntimeOpen message");
  const CallMethod *method = methods_find(open->method);
  int rc = c->by_network ? is_meant(c, open, err) : 0;
  if (rc)
    method = NULL;
  else if (!method)
    rc = error_set(err, ERROR_UNIMPLEMENTED, "no method \"%.64s\"", open->method);
  /* as HTTP to the Pod's other ports, which binds nothing */
  else if (c->by_network && method == &METHOD_CONNECT)
    rc = runtime_serves(c->rt, open->claim_uid, err);
  /* Ping is the one question that may be asked before there is a claim */
  else if (strcmp(method->name, "Ping") != 0)
    rc = bind_from(c->rt, open, err);
  if (rc == 0) {
    c->method = method;
    c->port = open->port;
    if (strlen(open->traceparent) == TRACEPARENT_LEN &&
        strspn(open->traceparent, "0123456789abcdef-") == TRACEPARENT_LEN)
      memcpy(c->traceparent, open->traceparent, TRACEPARENT_LEN + 1);
  }
  sandplane__internal__v1__runtime_open__free_unpacked(open, NULL);
  return rc;
}

static void on_frame(Call *c, const WireFrame *frame) {
  Error err;
  if (!c->method) {
    loop_timer_stop(c->timer);
    if (frame->type != WIRE_OPEN)
      error_set(&err, ERROR_INVALID_ARGUMENT, "the first frame must be OPEN");
    else if (let_in(c, frame, &err) == 0) {
      if (c->by_network && !c->method->accepts)
        call_send(c, WIRE_ACCEPT, NULL, 0);
      if (c->method->on_open)
        c->method->on_open(c);
      return;
    }
    return call_finish(c, &err);
  }
  if (frame->type == WIRE_MESSAGE && !c->half_closed) {
    /* protobuf-c would cut a string at a NUL, and another path than the one that was asked for be used */
    if (c->method->request && rpc_pb_check(c->method->request, frame->payload, frame->len, &err))
      return call_finish(c, &err);
    return c->method->on_message(c, frame->payload, frame->len);
  }
  if (frame->type == WIRE_HALF_CLOSE && !c->half_closed) {
    c->half_closed = true;
    return c->method->on_half_close(c);
  }
  error_set(&err, ERROR_INVALID_ARGUMENT, "frame of type %d is out of place", (int)frame->type);
  call_finish(c, &err);
}

/* ---- the connection ---- */

/* Works off the whole frames. */
static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  Call *c = arg;
  size_t at = 0;
  Error err;
  if (c->lingering)
    return len;
  while (!c->finished && !c->paused) {
    WireFrame frame;
    size_t used;
    int rc = wire_parse(data + at, len - at, &frame, &used, &err);
    if (rc == WIRE_MORE)
      break;
    if (rc < 0) {
      call_finish(c, &err);
      break;
    }
    at += used;
    on_frame(c, &frame);
  }
  return at;
}

/* The caller is gone, which cancels the call; behind the status it is no loss. */
static void on_gone(void *arg) {
  call_free(arg);
}

static void on_error(void *arg, int errnum) {
  call_free(arg);
}

static void on_drain(void *arg) {
  Call *c = arg;
  if (!c->finished && c->method && c->method->on_drained)
    c->method->on_drained(c);
}

static void on_flushed(void *arg) {
  Call *c = arg;
  if (!c->finished || c->lingering)
    return;
  c->lingering = true;
  stream_end(c->stream);
  loop_timer_start(c->timer, LINGER_MS);
  call_end_method(c);
  stream_resume(c->stream);
}

static const StreamHandlers HANDLERS = {.on_data = on_data,
                                        .on_eof = on_gone,
                                        .on_drain = on_drain,
                                        .on_error = on_error,
                                        .must_write = true,
                                        .on_flushed = on_flushed,
                                        .on_hangup = on_gone};

static void on_timeout(void *arg) {
  Call *c = arg;
  /* between OPEN and the status, it is about a pause: see call_pause */
  if (c->method && !c->lingering && !peer_is_gone(stream_fd(c->stream)))
    loop_timer_start(c->timer, LOOK_MS);
  else
    call_free(c);
}

static Call *new_call(Runtime *rt) {
  Call *c = new0(Call);
  c->rt = rt;
  c->timer = loop_timer_new(rt->loop, on_timeout, c);
  loop_timer_start(c->timer, OPEN_TIMEOUT_MS);
  return c;
}

void call_accept(Runtime *rt, int fd) {
  Call *c = new_call(rt);
  c->stream = stream_new(rt->loop, fd, IN_MAX, &HANDLERS, c);
}

void call_accept_by_network(Runtime *rt, Stream *stream) {
  Call *c = new_call(rt);
  c->by_network = true;
  c->stream = stream;
  stream_hand_over(stream, IN_MAX, &HANDLERS, c);
}
