/* See call.h. The connection of one call: frames in, frames out, let in by its claim. */
#include "runtime/call.h"

#include <errno.h>
#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_pb_check.h"
#include "runtime/methods.h"
#include "runtime/peer.h"

#define READ_CHUNK (64 << 10)
/* A whole frame and the beginning of the next. */
#define IN_MAX (WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD + READ_CHUNK)
/* Who connects must say what for within this time. */
#define OPEN_TIMEOUT_MS 10000
/* After the status, what the caller was still sending is read and dropped for this long: closing on it would
 * break its writes and might cost it the status. */
#define LINGER_MS 2000

/* How often who is not read is looked for: its end cannot be read then, and not every kernel tells it otherwise. */
#define LOOK_MS 1000

/* Version 00 of the W3C's header: hexadecimal digits and hyphens. */
#define TRACEPARENT_LEN 55

struct Call {
  Runtime *rt;
  int fd;
  LoopFd *watch;
  LoopTimer *timer; /* until OPEN; then the look in a pause and what it held back; after the status, the linger */
  Buf in, out;
  const CallMethod *method; /* NULL until OPEN */
  void *data;
  uint32_t port;
  char traceparent[TRACEPARENT_LEN + 1];
  bool by_network, paused, half_closed, finished, lingering, high, in_callback, dead;
};

static void end_method(Call *c) {
  if (c->method && c->method->on_end)
    c->method->on_end(c);
  c->method = NULL;
}

static void call_free(Call *c) {
  end_method(c);
  loop_fd_free(c->watch);
  loop_timer_free(c->timer);
  if (c->fd >= 0)
    close(c->fd);
  buf_deinit(&c->in);
  buf_deinit(&c->out);
  free(c);
}

/* Frees now, or when the callback that runs has returned. */
static void call_drop(Call *c) {
  if (c->in_callback)
    c->dead = true;
  else
    call_free(c);
}

static void arm(Call *c) {
  /* a call that does not read is still told of its caller's going */
  bool reading = c->lingering || (!c->paused && !c->finished);
  loop_fd_set(c->watch, (reading ? LOOP_READ : LOOP_CLOSED) | (c->out.len ? LOOP_WRITE : 0));
}

static void flush(Call *c) {
  while (c->out.len) {
    ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0)
      return call_drop(c);
    buf_consume(&c->out, (size_t)n);
  }
  if (c->finished && c->out.len == 0 && !c->lingering) {
    c->lingering = true;
    shutdown(c->fd, SHUT_WR);
    loop_timer_start(c->timer, LINGER_MS);
    end_method(c);
  }
  arm(c);
}

Runtime *call_runtime(const Call *c) {
  return c->rt;
}
uint32_t call_port(const Call *c) {
  return c->port;
}
const char *call_traceparent(const Call *c) {
  return c->traceparent;
}
void call_set_data(Call *c, void *data) {
  c->data = data;
}
void *call_data(const Call *c) {
  return c->data;
}
size_t call_pending(const Call *c) {
  return c->out.len;
}

void call_send(Call *c, WireType type, const void *payload, size_t len) {
  if (c->finished || c->dead)
    return;
  if (wire_append(&c->out, type, payload, len))
    abort(); /* every method stops at CALL_PENDING_HIGH */
  if (c->out.len > CALL_PENDING_HIGH)
    c->high = true;
  arm(c);
}

void call_send_message(Call *c, const ProtobufCMessage *message) {
  size_t len = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = xmalloc(len + 1);
  protobuf_c_message_pack(message, bytes);
  call_send(c, WIRE_MESSAGE, bytes, len);
  free(bytes);
}

void call_pause(Call *c, bool pause) {
  if (c->finished || c->paused == pause)
    return;
  c->paused = pause;
  arm(c);
  /* frames that were read before the pause make no event of their own */
  loop_timer_start(c->timer, pause ? LOOK_MS : 0);
}

void call_finish(Call *c, const Error *err) {
  if (c->finished || c->dead)
    return;
  Sandplane__Internal__V1__RuntimeStatus s = SANDPLANE__INTERNAL__V1__RUNTIME_STATUS__INIT;
  s.code = err ? (int32_t)err->kind : 0;
  s.message = err ? (char *)err->message : "";
  s.field = err ? (char *)err->field : "";
  uint8_t bytes[1024];
  size_t len = sandplane__internal__v1__runtime_status__pack(&s, bytes);
  call_send(c, WIRE_STATUS, bytes, len);
  c->finished = true;
  c->half_closed = true;
  if (!c->in_callback)
    flush(c);
}

int call_detach(Call *c, Buf *ret_rest) {
  int fd = c->fd;
  *ret_rest = c->in;
  c->in = BUF_INIT(0);
  c->fd = -1;
  loop_fd_free(c->watch);
  c->watch = NULL;
  call_drop(c);
  return fd;
}

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
  if (rc == 0 && method && c->by_network && strcmp(method->name, "Connect") == 0)
    method = NULL;
  if (rc)
    method = NULL;
  else if (!method)
    rc = error_set(err, ERROR_UNIMPLEMENTED, "no method \"%.64s\"", open->method);
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
      if (c->by_network)
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

/* Works off the whole frames that were read. */
static void take_frames(Call *c) {
  size_t at = 0;
  Error err;
  while (!c->finished && !c->dead && !c->paused) {
    WireFrame frame;
    size_t used;
    int rc = wire_parse(c->in.data + at, c->in.len - at, &frame, &used, &err);
    if (rc == WIRE_MORE)
      break;
    if (rc < 0) {
      call_finish(c, &err);
      break;
    }
    at += used;
    on_frame(c, &frame);
  }
  if (at > 0)
    buf_consume(&c->in, at);
}

/* Everything that can be done now. Nothing frees the call meanwhile: it is freed here, at the end. */
static void step(Call *c) {
  c->in_callback = true;
  if (c->in.len)
    take_frames(c);
  if (!c->dead)
    flush(c);
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): in_callback keeps it, which the analyzer forgets at buf_consume
  if (!c->dead && c->high && c->out.len < CALL_PENDING_HIGH / 2) {
    c->high = false;
    /* what it sends leaves by the next writable event, so that one call's flood does not hold up the others */
    if (!c->finished && c->method && c->method->on_drained)
      c->method->on_drained(c);
  }
  c->in_callback = false;
  if (c->dead)
    call_free(c);
}

static void on_io(int events, void *arg) {
  Call *c = arg;
  if (events & LOOP_CLOSED && !(events & LOOP_READ))
    return call_free(c);
  if (events & LOOP_READ) {
    uint8_t *to = buf_reserve(&c->in, READ_CHUNK);
    ssize_t n = to ? recv(c->fd, to, READ_CHUNK, MSG_DONTWAIT) : 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (n <= 0)
      return call_free(c); /* the caller is gone: cancelled */
    if (c->lingering)
      return;
    c->in.len += (size_t)n;
  }
  step(c);
}

static void on_timeout(void *arg) {
  Call *c = arg;
  /* between OPEN and the status, it is about a pause: see call_pause */
  if (c->method && !c->lingering && c->paused && !peer_is_gone(c->fd))
    loop_timer_start(c->timer, LOOK_MS);
  else if (c->method && !c->lingering && !c->paused)
    step(c);
  else
    call_free(c);
}

static void take(Runtime *rt, int fd, bool by_network) {
  Call *c = new0(Call);
  *c = (Call){.rt = rt, .fd = fd, .by_network = by_network, .in = BUF_INIT(IN_MAX), .out = BUF_INIT(0)};
  c->watch = loop_fd_new(rt->loop, fd, LOOP_READ, on_io, c);
  c->timer = loop_timer_new(rt->loop, on_timeout, c);
  loop_timer_start(c->timer, OPEN_TIMEOUT_MS);
}

void call_accept(Runtime *rt, int fd) {
  take(rt, fd, false);
}
void call_accept_by_network(Runtime *rt, int fd) {
  take(rt, fd, true);
}
