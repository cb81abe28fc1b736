/* See backend.h.
 *
 * A call is attached to a stream, or waits in the pool, or is over. What the server sends is gathered until a message
 * is whole and asked for; the stream's window opens by what has gone on, and by all that came while a message is waited
 * for. The end is told behind the last message, and never from inside a function: what ends or goes on outside of a
 * handler is put on a list for the loop's next turn.
 */
#include "services/router/backend/backend.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "services/router/backend/grpc_wire.h"

enum {
  /* Of what was written, to be sent again: one message of the largest size. */
  REPLAY_MAX = GRPC_WIRE_MAX + GRPC_WIRE_HEAD,
  /* Each further attempt means that a replica has left or refused, of which there are few in a row. */
  ATTEMPTS_MAX = 5,
  OWN_FIELDS = 4,
};

struct Backend {
  Loop *loop;
  BackendPool *pool;
  List calls;
  List due; /* those for which something is to be done outside of a handler */
  LoopTimer *soon;
};

struct BackendCall {
  Backend *backend;
  ListLink link, due;
  BackendWaiter waiter;
  BackendHandlers handlers;
  void *arg;
  Arena *arena; /* what is sent before the messages */
  const char *path;
  Http2Field *fields; /* OWN_FIELDS of ours first, the last of them the time limit */
  size_t n_fields;
  int64_t deadline_ms; /* of the loop's clock; INT64_MAX: none */
  LoopTimer *timer;
  Http2Stream *stream; /* NULL: none yet, or no more */
  int attempts;
  bool committed; /* never made again */
  bool half_closed, full;
  Buf out; /* what was written, until it is committed */
  Buf in;
  size_t untaken; /* of in, and before it */
  bool reading;
  int http_status; /* 0: no answer yet */
  bool over;       /* and status says how */
  Error status;
  Buf details;
};

/* ---- The end ---- */

static void done(BackendCall *c) {
  list_remove(&c->link);
  list_remove(&c->due);
  list_remove(&c->waiter.link);
  loop_timer_free(c->timer);
  c->handlers.on_done(c, c->arg, &c->status, c->details.data, c->details.len);
  buf_deinit(&c->out);
  buf_deinit(&c->in);
  buf_deinit(&c->details);
  arena_free(c->arena);
  free(c);
}

static void come_back(BackendCall *c) {
  if (!list_is_linked(&c->due))
    list_append(&c->backend->due, &c->due);
  loop_timer_start(c->backend->soon, 0);
}

/* Nothing more is sent or received; a stream that is left was ended by the server. */
static void set_over(BackendCall *c) {
  if (c->stream)
    http2_stream_set_owner(c->stream, NULL);
  c->stream = NULL;
  c->over = true;
  list_remove(&c->waiter.link);
  loop_timer_stop(c->timer);
}

/* Ends it from this side. */
static void give_up(BackendCall *c, const Error *why) {
  if (c->over)
    return;
  c->status = *why;
  c->in.len = 0;
  if (c->stream)
    http2_stream_reset(c->stream, HTTP2_CANCEL);
  c->stream = NULL;
  set_over(c);
}

/* ---- Receiving ---- */

/* Whether a whole message is there. */
static bool has_message(BackendCall *c) {
  size_t len;
  Error err;
  return grpc_wire_next(c->in.data, c->in.len, &len, &err) == 0;
}

static void show_messages(BackendCall *c) {
  size_t at = 0, len;
  Error err;
  while (c->reading && at < c->in.len) {
    int rc = grpc_wire_next(c->in.data + at, c->in.len - at, &len, &err);
    if (rc < 0)
      give_up(c, &err);
    if (rc != 0)
      break;
    c->reading = false;
    c->handlers.on_message(c, c->arg, c->in.data + at + GRPC_WIRE_HEAD, len);
    at += GRPC_WIRE_HEAD + len;
  }
  if (c->in.len > 0)
    buf_consume(&c->in, at);
}

/* What has gone on may be replaced by more; and what is waited for is let in whole. */
static void take(BackendCall *c) {
  size_t kept = c->reading ? 0 : c->in.len;
  if (!c->stream || c->untaken <= kept)
    return;
  http2_stream_took(c->stream, c->untaken - kept);
  c->untaken = kept;
}

/* In a handler. The call may be gone behind it. */
static void advance(BackendCall *c) {
  show_messages(c);
  take(c);
  if (!c->over)
    return;
  if (has_message(c))
    return; /* until it is asked for */
  if (c->status.kind == ERROR_NONE && c->in.len > 0)
    error_set(&c->status, ERROR_INTERNAL, "the answer ends within a message");
  done(c);
}

/* The fields that come last; the stream is ended by the server. */
static void take_status(BackendCall *c, const Http2Field *fields, size_t n) {
  Error status;
  grpc_wire_status(fields, n, c->http_status, &status, &c->details);
  /* the C core ends so what reaches a server in the moment in which it begins to shut down; the caller did not */
  c->status = status;
  if (status.kind == ERROR_CANCELLED)
    error_set(&c->status, ERROR_UNAVAILABLE, "the server gave the call up: %s", status.message);
  if (!http2_client_is_sent(c->stream)) {
    http2_stream_reset(c->stream, HTTP2_NO_ERROR);
    c->stream = NULL;
  }
  set_over(c);
}

static void on_response(void *owner, const Http2Response *response) {
  BackendCall *c = owner;
  if (!c)
    return;
  c->committed = true;
  buf_deinit(&c->out);
  c->http_status = response->status;
  const char *type = grpc_wire_field(response->fields, response->n_fields, "content-type");
  if (response->ended) {
    take_status(c, response->fields, response->n_fields);
    advance(c);
  } else if (response->status != 200 || !grpc_wire_is_grpc(type)) {
    Error err;
    error_set(&err, grpc_wire_kind_of_http(response->status), "the answer is not gRPC: HTTP status %d, content-type %s",
              response->status, type ? type : "none");
    give_up(c, &err);
    advance(c);
  }
}

static void on_body(void *owner, const uint8_t *data, size_t len) {
  BackendCall *c = owner;
  if (!c)
    return;
  c->untaken += len;
  /* a message and a window at most */
  if (buf_append(&c->in, data, len) != 0)
    abort();
  advance(c);
}

static void on_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  BackendCall *c = owner;
  if (!c)
    return;
  take_status(c, trailers, n_trailers);
  advance(c);
}

/* ---- Sending ---- */

static void attach(BackendCall *c);

static void tell_drained(BackendCall *c) {
  c->full = false;
  if (!c->over && c->handlers.on_drain)
    c->handlers.on_drain(c, c->arg);
}

static void on_drain(void *owner) {
  BackendCall *c = owner;
  if (c && c->full)
    tell_drained(c);
}

/* Without an answer's end. */
static void on_close(void *owner, uint32_t code) {
  BackendCall *c = owner;
  if (!c)
    return;
  Http2Stream *stream = c->stream;
  c->stream = NULL;
  if (code == HTTP2_REFUSED_STREAM && !c->committed && c->attempts < ATTEMPTS_MAX) {
    come_back(c);
    return;
  }
  Error err;
  if (http2_client_lost(stream))
    error_set(&err, ERROR_UNAVAILABLE, "the connection was lost");
  else if (code == HTTP2_CANCEL)
    error_set(&err, ERROR_UNAVAILABLE, "the server gave the call up");
  else
    error_set(&err, grpc_wire_kind_of_reset(code), "the server reset the stream, with code %u", (unsigned)code);
  give_up(c, &err);
  advance(c);
}

static const Http2ClientHandlers STREAM_HANDLERS = {
    .on_response = on_response, .on_body = on_body, .on_end = on_end, .on_drain = on_drain, .on_close = on_close};

static void send_all(BackendCall *c, Http2Session *session, const char *authority) {
  Http2Request request = {
      .method = "POST",
      .scheme = "http",
      .authority = authority,
      .path = c->path,
      .fields = c->fields,
      .n_fields = c->n_fields,
  };
  char timeout[GRPC_WIRE_TIMEOUT];
  if (c->deadline_ms == INT64_MAX) {
    request.fields++;
    request.n_fields--;
  } else {
    int64_t left = c->deadline_ms - loop_now_ms(c->backend->loop);
    grpc_wire_timeout(left > 1 ? left : 1, timeout);
    c->fields[0].value = timeout;
  }
  c->attempts++;
  c->untaken = 0;
  c->stream = http2_client_request(session, &request, c);
  c->fields[0].value = "";
  http2_stream_write(c->stream, c->out.data, c->out.len);
  if (c->half_closed)
    http2_stream_finish(c->stream, NULL, 0);
}

static void attach(BackendCall *c) {
  Http2Session *session;
  const char *authority;
  Error err;
  switch (backend_pool_pick(c->backend->pool, &session, &authority)) {
  case BACKEND_PICKED:
    send_all(c, session, authority);
    break;
  case BACKEND_WAIT:
    backend_pool_wait(c->backend->pool, &c->waiter);
    break;
  case BACKEND_AWAY:
    error_set(&err, ERROR_UNAVAILABLE, "no replica can be reached; the last error: %s",
              backend_pool_why(c->backend->pool));
    give_up(c, &err);
    come_back(c);
    break;
  }
}

/* What is due outside of the handlers of its stream. */
static void catch_up(BackendCall *c) {
  if (!c->over && !c->stream && !list_is_linked(&c->waiter.link)) {
    attach(c);
    if (c->stream && c->full && !http2_stream_is_full(c->stream))
      tell_drained(c);
  }
  advance(c);
}

static void on_ready(BackendWaiter *waiter) {
  catch_up(CONTAINER_OF(waiter, BackendCall, waiter));
}

static void on_soon(void *arg) {
  Backend *backend = arg;
  List now = LIST_INIT(now);
  for (ListLink *link; (link = list_take_first(&backend->due));)
    list_append(&now, link);
  for (ListLink *link; (link = list_take_first(&now));)
    catch_up(CONTAINER_OF(link, BackendCall, due));
}

static void on_deadline(void *arg) {
  BackendCall *c = arg;
  Error err;
  error_set(&err, ERROR_DEADLINE_EXCEEDED, "the deadline has passed");
  give_up(c, &err);
  advance(c);
}

/* ---- What the owner says ---- */

void backend_write(BackendCall *c, const uint8_t *data, size_t len) {
  uint8_t head[GRPC_WIRE_HEAD];
  if (c->over || c->half_closed)
    return;
  grpc_wire_head(len, head);
  if (c->stream) {
    http2_stream_write(c->stream, head, sizeof head);
    http2_stream_write(c->stream, data, len);
    if (c->out.len + sizeof head + len > REPLAY_MAX)
      c->committed = true;
  }
  if (c->committed) {
    buf_deinit(&c->out);
    return;
  }
  /* the owner stops at backend_is_full */
  if (buf_append(&c->out, head, sizeof head) != 0 || buf_append(&c->out, data, len) != 0)
    abort();
}

bool backend_is_full(BackendCall *c) {
  bool full = c->stream ? http2_stream_is_full(c->stream) : c->out.len >= STREAM_HIGH;
  c->full |= full && !c->over;
  return full && !c->over;
}

void backend_half_close(BackendCall *c) {
  c->half_closed = true;
  if (c->stream)
    http2_stream_finish(c->stream, NULL, 0);
}

void backend_read(BackendCall *c) {
  c->reading = true;
  if (c->in.len > 0 || c->over || c->untaken > 0)
    come_back(c);
}

void backend_cancel(BackendCall *c) {
  Error err;
  error_set(&err, ERROR_CANCELLED, "cancelled");
  give_up(c, &err);
  c->in.len = 0;
  come_back(c);
}

/* ---- The beginning ---- */

static int copy_fields(BackendCall *c, const Http2Field *metadata, size_t n) {
  c->fields = arena_alloc(c->arena, (n + OWN_FIELDS) * sizeof *c->fields);
  c->fields[c->n_fields++] = (Http2Field){"grpc-timeout", ""};
  c->fields[c->n_fields++] = (Http2Field){"te", "trailers"};
  c->fields[c->n_fields++] = (Http2Field){"content-type", "application/grpc"};
  c->fields[c->n_fields++] = (Http2Field){"user-agent", "sandplane-router"};
  for (size_t i = 0; i < n; i++) {
    if (!grpc_wire_is_value(metadata[i].value))
      return error_set(&c->status, ERROR_INVALID_ARGUMENT, "the header %s is not valid in HTTP/2", metadata[i].name);
    c->fields[c->n_fields++] =
        (Http2Field){arena_strdup(c->arena, metadata[i].name), arena_strdup(c->arena, metadata[i].value)};
  }
  return 0;
}

static void set_deadline(BackendCall *c, int64_t timeout_ms) {
  /* ten years: what is farther away is none */
  const int64_t far_ms = (int64_t)10 * 365 * 86400 * 1000;
  c->deadline_ms = INT64_MAX;
  if (timeout_ms > far_ms)
    return;
  c->deadline_ms = loop_now_ms(c->backend->loop) + timeout_ms;
  loop_timer_start(c->timer, timeout_ms);
}

BackendCall *backend_call(Backend *backend, const char *path, int64_t timeout_ms, const Http2Field *metadata, size_t n,
                          const BackendHandlers *handlers, void *arg) {
  BackendCall *c = new0(BackendCall);
  c->backend = backend;
  c->handlers = *handlers;
  c->arg = arg;
  c->arena = arena_new();
  c->path = arena_strdup(c->arena, path);
  c->waiter.ready = on_ready;
  c->timer = loop_timer_new(backend->loop, on_deadline, c);
  list_append(&backend->calls, &c->link);
  if (copy_fields(c, metadata, n) != 0) {
    set_over(c);
    come_back(c);
    return c;
  }
  set_deadline(c, timeout_ms);
  attach(c);
  return c;
}

Backend *backend_new(Loop *loop, const char *targets, const BackendNames *names) {
  Backend *backend = new0(Backend);
  backend->loop = loop;
  list_init(&backend->calls);
  list_init(&backend->due);
  backend->soon = loop_timer_new(loop, on_soon, backend);
  backend->pool = backend_pool_new(loop, targets, names, &STREAM_HANDLERS);
  return backend;
}

void backend_free(Backend *backend) {
  if (!backend)
    return;
  Error err;
  error_set(&err, ERROR_CANCELLED, "the channel was closed");
  for (ListLink *link; (link = list_first(&backend->calls));) {
    BackendCall *c = CONTAINER_OF(link, BackendCall, link);
    give_up(c, &err);
    done(c);
  }
  backend_pool_free(backend->pool);
  loop_timer_free(backend->soon);
  free(backend);
}
