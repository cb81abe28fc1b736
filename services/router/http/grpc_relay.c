/* See grpc_relay.h.
 *
 * The way there is the exchange's, which then gives its stream away and goes on to know whether the sandbox is in use.
 * What of the body comes before the program has greeted waits here, no more than the window of the client's stream.
 */
#include "services/router/http/grpc_relay.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/http2/http2_client.h"
#include "services/router/backend/grpc_wire.h"
#include "services/router/http/exchange.h"
#include "services/router/http/grpc_form.h"

struct GrpcRelay {
  Router *router;
  Exchange *exchange;
  Http2Session *session;
  Http2Stream *front, *back; /* back NULL: not yet, or no more */
  GrpcForm form;
  uint16_t port;
  LoopTimer *timer;
  int64_t deadline_ms; /* of the loop's clock; INT64_MAX: none */
  Buf early;
  size_t front_untaken, back_untaken;
  bool request_done, answered;
  int status;
  uint64_t bytes;
  GrpcRelayHandlers handlers;
  void *arg;
};

void grpc_relay_free(GrpcRelay *r) {
  if (!r)
    return;
  exchange_free(r->exchange);
  http2_session_free(r->session);
  loop_timer_free(r->timer);
  grpc_form_deinit(&r->form);
  buf_deinit(&r->early);
  free(r);
}

bool grpc_relay_is_found(const GrpcRelay *r) {
  return exchange_is_found(r->exchange);
}

/* ---- The end ---- */

void grpc_relay_refuse(Http2Stream *front, int http_status, const char *message) {
  Error err;
  GrpcStatusFields fields;
  error_set(&err, grpc_form_kind(http_status), "%s", message);
  grpc_form_status(&err, &fields);
  http2_stream_respond(front, 200, fields.head, GRPC_FORM_STATUS_HEAD, true);
}

/* In place of what the program does not say any more. */
static void end_as(GrpcRelay *r, const Error *err) {
  GrpcStatusFields fields;
  grpc_form_status(err, &fields);
  if (r->answered)
    http2_stream_finish(r->front, fields.head + 1, GRPC_FORM_STATUS_HEAD - 1);
  else
    http2_stream_respond(r->front, 200, fields.head, GRPC_FORM_STATUS_HEAD, true);
  r->handlers.on_end(r->arg, r->answered ? r->status : 200, r->bytes);
}

static void on_deadline(void *arg) {
  Error err;
  error_set(&err, ERROR_DEADLINE_EXCEEDED, "the deadline has passed");
  end_as(arg, &err);
}

/* ---- The program's side ---- */

static void on_response(void *owner, const Http2Response *response) {
  GrpcRelay *r = owner;
  Http2Field *fields = xcalloc(response->n_fields, sizeof *fields);
  size_t n = grpc_form_answer(response->fields, response->n_fields, fields);
  r->answered = true;
  r->status = response->status;
  http2_stream_respond(r->front, response->status, fields, n, response->ended);
  free(fields);
  if (response->ended)
    r->handlers.on_end(r->arg, r->status, 0);
}

static void on_back_body(void *owner, const uint8_t *data, size_t len) {
  GrpcRelay *r = owner;
  exchange_note(r->exchange);
  r->bytes += len;
  http2_stream_write(r->front, data, len);
  if (http2_stream_is_full(r->front))
    r->back_untaken += len;
  else
    http2_stream_took(r->back, len);
}

static void on_back_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  GrpcRelay *r = owner;
  http2_stream_finish(r->front, trailers, n_trailers);
  r->handlers.on_end(r->arg, r->status, r->bytes);
}

static void on_back_drain(void *owner) {
  GrpcRelay *r = owner;
  exchange_note(r->exchange);
  http2_stream_took(r->front, r->front_untaken);
  r->front_untaken = 0;
}

static void on_back_close(void *owner, uint32_t code) {
  GrpcRelay *r = owner;
  Error err;
  if (!r->answered && http2_client_lost(r->back)) {
    r->back = NULL;
    r->handlers.on_fail(r->arg, FAILURE_NO_ANSWER, "the program closed the connection before it answered");
    return;
  }
  if (http2_client_lost(r->back))
    error_set(&err, ERROR_UNAVAILABLE, "the program closed the connection within its answer");
  else
    error_set(&err, grpc_wire_kind_of_reset(code), "the program reset the stream, with code %u", (unsigned)code);
  r->back = NULL;
  end_as(r, &err);
}

static void ask(GrpcRelay *r) {
  char authority[32], timeout[GRPC_WIRE_TIMEOUT];
  Http2Request request = {.method = "POST", .scheme = "http", .authority = authority, .path = r->form.path};
  snprintf(authority, sizeof authority, "127.0.0.1:%u", (unsigned)r->port);
  size_t n = r->form.n_fields;
  if (r->deadline_ms != INT64_MAX) {
    int64_t left = r->deadline_ms - loop_now_ms(r->router->loop);
    grpc_wire_timeout(left > 1 ? left : 1, timeout);
    /* there is room for one more */
    r->form.fields[n++] = (Http2Field){"grpc-timeout", timeout};
  }
  request.fields = r->form.fields;
  request.n_fields = n;
  r->back = http2_client_request(r->session, &request, r);
  http2_stream_write(r->back, r->early.data, r->early.len);
  buf_deinit(&r->early);
  if (r->request_done)
    http2_stream_finish(r->back, NULL, 0);
  if (!http2_stream_is_full(r->back))
    on_back_drain(r);
}

static void on_change(void *arg) {
  GrpcRelay *r = arg;
  if (!r->back && !r->answered && http2_client_has_room(r->session))
    ask(r);
}

/* Of a stream that there was is told by on_back_close. */
static void on_over(void *arg, Http2Why why) {
  GrpcRelay *r = arg;
  if (!r->back && !r->answered)
    r->handlers.on_fail(r->arg, FAILURE_NOT_HTTP, "the program does not speak HTTP/2 without TLS");
}

static const Http2ClientHandlers CLIENT_HANDLERS = {
    .on_response = on_response,
    .on_body = on_back_body,
    .on_end = on_back_end,
    .on_drain = on_back_drain,
    .on_close = on_back_close,
    .on_change = on_change,
    .on_over = on_over,
};

static void on_stream(void *arg, Stream *stream) {
  GrpcRelay *r = arg;
  Http2Config config = HTTP2_CLIENT_DEFAULTS;
  /* servers of gRPC take one every few minutes for a flood; the socket's keepalive finds out who is gone */
  config.ping_ms = 0;
  r->session = http2_client_new(r->router->loop, stream, &config, &CLIENT_HANDLERS, r);
}

static void on_exchange_fail(void *arg, Failure failure, const char *why) {
  GrpcRelay *r = arg;
  r->handlers.on_fail(r->arg, failure, why);
}

static const ExchangeHandlers EXCHANGE_HANDLERS = {.on_stream = on_stream, .on_fail = on_exchange_fail};

/* ---- The client's side ---- */

void grpc_relay_body(GrpcRelay *r, const uint8_t *data, size_t len) {
  exchange_note(r->exchange);
  if (!r->back) {
    r->front_untaken += len;
    /* the stream's window is far below the buffer's limit */
    if (buf_append(&r->early, data, len) != 0)
      abort();
    return;
  }
  http2_stream_write(r->back, data, len);
  if (http2_stream_is_full(r->back))
    r->front_untaken += len;
  else
    http2_stream_took(r->front, len);
}

void grpc_relay_end(GrpcRelay *r) {
  r->request_done = true;
  if (r->back)
    http2_stream_finish(r->back, NULL, 0);
}

void grpc_relay_drain(GrpcRelay *r) {
  exchange_note(r->exchange);
  if (r->back)
    http2_stream_took(r->back, r->back_untaken);
  r->back_untaken = 0;
}

GrpcRelay *grpc_relay_new(Router *router, const Target *target, const Buf *head, bool ended, Http2Stream *front,
                          const GrpcRelayHandlers *handlers, void *arg) {
  GrpcRelay *r = new0(GrpcRelay);
  const ExchangeRequest request = {.raw = true};
  *r = (GrpcRelay){.router = router, .front = front, .port = target->port, .handlers = *handlers, .arg = arg};
  r->request_done = ended;
  r->deadline_ms = INT64_MAX;
  r->timer = loop_timer_new(router->loop, on_deadline, r);
  int64_t timeout_ms = grpc_form_read(buf_str(head), &r->form);
  if (timeout_ms != INT64_MAX) {
    r->deadline_ms = loop_now_ms(router->loop) + timeout_ms;
    loop_timer_start(r->timer, timeout_ms);
  }
  r->exchange = exchange_new(router, target, &request, &EXCHANGE_HANDLERS, r);
  return r;
}
