/* See http2_call.h.
 *
 * The head of HTTP/2 is made one of HTTP/1.1, and goes the way of those. What of the body comes before the sandbox is
 * reached waits here: no more than the stream's window, which opens as the sandbox takes it.
 */
#include "services/router/http/http2_call.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "services/router/backend/grpc_wire.h"
#include "services/router/http/admit.h"
#include "services/router/http/exchange.h"
#include "services/router/http/forward.h"
#include "services/router/http/grpc_relay.h"
#include "services/router/http/http2_head_form.h"
#include "services/router/http/http_log.h"
#include "services/router/route/answer_rewrite.h"

struct Http2Call {
  ListLink link;
  Router *router;
  Http2Stream *stream;
  HttpLog log;
  Exchange *exchange;
  GrpcRelay *relay; /* in its place, of a call of gRPC */
  bool is_grpc;
  bool expects_continue, chunked, is_head;
  bool ready;        /* the sandbox is reached */
  bool request_done; /* and the last of the body was seen */
  bool answered;
  Buf early;      /* of the body, before it is ready */
  size_t untaken; /* of the body, and not gone to the sandbox */
  uint64_t sent;  /* of the answer's body */
  Buf trailers;   /* name NUL value NUL ... */
  size_t n_trailers;
};

static void drop_exchange(Http2Call *c) {
  if (c->relay)
    c->log.ns = grpc_relay_is_found(c->relay) ? c->log.target.ns : "-";
  grpc_relay_free(c->relay);
  c->relay = NULL;
  if (!c->exchange)
    return;
  c->log.ns = exchange_is_found(c->exchange) ? c->log.target.ns : "-";
  exchange_free(c->exchange);
  c->exchange = NULL;
  buf_deinit(&c->early);
}

static void call_free(Http2Call *c, int status) {
  drop_exchange(c);
  http_log_end(&c->log, c->router, status, c->sent);
  list_remove(&c->link);
  buf_deinit(&c->early);
  buf_deinit(&c->trailers);
  free(c);
}

/* The answer is said; its stream closes when the client has it. */
static void over(Http2Call *c, int status) {
  drop_exchange(c);
  http_log_end(&c->log, c->router, status, c->sent);
  http2_stream_took(c->stream, c->untaken);
  c->untaken = 0;
}

/* ---- The router's own answers ---- */

static void answer_text(Http2Call *c, int status, const Http2Field *fields, size_t n_fields, const char *text) {
  size_t len = strlen(text);
  http2_stream_respond(c->stream, status, fields, n_fields, c->is_head);
  if (!c->is_head) {
    http2_stream_write(c->stream, text, len);
    http2_stream_finish(c->stream, NULL, 0);
    c->sent += len;
  }
  c->answered = true;
  over(c, status);
}

static void answer_grpc(Http2Call *c, int status, const char *detail) {
  grpc_relay_refuse(c->stream, status, detail);
  c->answered = true;
  over(c, status);
}

static void answer_here(Http2Call *c, const ForwardError *error) {
  if (c->is_grpc) {
    answer_grpc(c, error->status, error->detail);
    return;
  }
  HttpHeader found[FORWARD_ERROR_FIELDS];
  Http2Field fields[FORWARD_ERROR_FIELDS + 1];
  CLEANUP(buf_deinit) Buf body = {0};
  char length[24];
  forward_error_body(&body, error);
  size_t n = forward_error_fields(error, found);
  for (size_t i = 0; i < n; i++)
    fields[i] = (Http2Field){found[i].name, found[i].value};
  snprintf(length, sizeof length, "%zu", body.len);
  fields[n++] = (Http2Field){"content-length", length};
  answer_text(c, error->status, fields, n, buf_str(&body));
}

static void answer_error(Http2Call *c, int status, const char *detail) {
  answer_here(c, &(ForwardError){.status = status, .detail = detail, .reason = c->log.reason});
}

static void answer_admission(Http2Call *c, const Admission *a) {
  answer_here(c, &(ForwardError){.status = a->status,
                                 .detail = a->detail,
                                 .allow = a->allow,
                                 .location = buf_str(&a->location),
                                 .set_cookie = buf_str(&a->set_cookie)});
}

static void answer_health(Http2Call *c) {
  static const char BODY[] = "{\"status\":\"ok\"}";
  const Http2Field fields[] = {{"content-type", "application/json"}, {"content-length", "15"}};
  answer_text(c, 200, fields, ARRAY_LEN(fields), BODY);
}

/* ---- The sandbox's ---- */

static void send_body(Http2Call *c, const uint8_t *data, size_t len) {
  if (c->chunked) {
    CLEANUP(buf_deinit) Buf chunk = {0};
    forward_chunk(&chunk, data, len);
    exchange_write(c->exchange, chunk.data, chunk.len);
  } else {
    exchange_write(c->exchange, data, len);
  }
}

static void send_end(Http2Call *c) {
  if (c->chunked)
    exchange_write(c->exchange, "0\r\n\r\n", 5);
}

/* The client may send more as soon as the sandbox takes it: what waits here for the sandbox counts against the window,
 * so that all streams together hold no more than the connection's. */
static void take(Http2Call *c) {
  size_t waits = exchange_pending(c->exchange);
  if (waits >= c->untaken)
    return;
  http2_stream_took(c->stream, c->untaken - waits);
  c->untaken = waits;
}

static void on_ready(void *arg) {
  Http2Call *c = arg;
  c->ready = true;
  if (c->expects_continue && !c->request_done)
    http2_stream_interim(c->stream, 100, NULL, 0);
  if (c->early.len > 0)
    send_body(c, c->early.data, c->early.len);
  buf_deinit(&c->early);
  if (c->request_done)
    send_end(c);
  take(c);
}

static void on_exchange_drain(void *arg) {
  take(arg);
}

static void on_answer_head(void *arg, const HttpHead *head) {
  Http2Call *c = arg;
  char length[24];
  const AdmitRules *rules = &c->router->admission;
  CLEANUP(answer_rewrite_deinit) AnswerRewrite rewrite = {0};
  Http2Field *fields = xcalloc(head->n_headers + 1, sizeof *fields);
  head = answer_rewrite(&rules->routing, &c->log.target, rules->session.cookie, head, &rewrite);
  size_t n = http2_answer_fields(head, fields, length);
  c->answered = true;
  c->log.status = head->status;
  http2_stream_respond(c->stream, head->status, fields, n, head->no_body);
  free(fields);
}

static void on_answer_body(void *arg, const uint8_t *data, size_t len) {
  Http2Call *c = arg;
  c->sent += len;
  http2_stream_write(c->stream, data, len);
  if (http2_stream_is_full(c->stream))
    exchange_pause(c->exchange);
}

static void on_answer_trailer(void *arg, const HttpHeader *field) {
  Http2Call *c = arg;
  if (!forward_allows_trailer(field->name))
    return;
  /* the reader's limit of a head is far below the buffer's */
  if (buf_append(&c->trailers, field->name, strlen(field->name) + 1) != 0 ||
      buf_append(&c->trailers, field->value, strlen(field->value) + 1) != 0)
    abort();
  c->n_trailers++;
}

static void on_answer_end(void *arg) {
  Http2Call *c = arg;
  Http2Field *fields = xcalloc(c->n_trailers, sizeof *fields);
  const char *at = buf_str(&c->trailers);
  for (size_t i = 0; i < c->n_trailers; i++) {
    fields[i].name = at;
    fields[i].value = at += strlen(at) + 1;
    at += strlen(at) + 1;
  }
  http2_stream_finish(c->stream, fields, c->n_trailers);
  free(fields);
  over(c, c->log.status);
}

static void on_exchange_fail(void *arg, Failure failure, const char *why) {
  Http2Call *c = arg;
  char detail[768];
  c->log.reason = FAILURES[failure].label;
  if (c->answered) {
    /* so that nobody takes it for whole */
    http2_stream_reset(c->stream, HTTP2_INTERNAL_ERROR);
    call_free(c, c->log.status);
    return;
  }
  snprintf(detail, sizeof detail, "%s: %s: %s", FAILURES[failure].opening, c->log.target.id, why);
  answer_error(c, FAILURES[failure].status, detail);
}

/* No request asks for an upgrade, so the exchange never switches. */
static const ExchangeHandlers EXCHANGE_HANDLERS = {
    .on_ready = on_ready,
    .on_drain = on_exchange_drain,
    .on_head = on_answer_head,
    .on_body = on_answer_body,
    .on_trailer = on_answer_trailer,
    .on_end = on_answer_end,
    .on_fail = on_exchange_fail,
};

/* ---- gRPC ---- */

static void on_relay_end(void *arg, int status, uint64_t bytes) {
  Http2Call *c = arg;
  c->sent = bytes;
  over(c, status);
}

static const GrpcRelayHandlers RELAY_HANDLERS = {.on_end = on_relay_end, .on_fail = on_exchange_fail};

/* gRPC-Web is HTTP/1.1's kin, and another protocol. */
static bool is_grpc(const Http2Request *request) {
  const char *type = grpc_wire_field(request->fields, request->n_fields, "content-type");
  return strcmp(request->method, "POST") == 0 && grpc_wire_is_grpc(type);
}

/* ---- The client's ---- */

/* Whether the router answers the request itself, and has. */
static bool answers(Http2Call *c, const Admission *a) {
  Router *r = c->router;
  if (a->judged)
    metrics_add(r->service->metrics, ROUTER_AUTHZ_DECISIONS, 1, "-", a->status >= 400 ? "deny" : "allow", NULL);
  if (a->status == 200) {
    answer_health(c);
  } else if (a->status) {
    answer_admission(c, a);
  } else if (!exchange_has_room(r)) {
    c->log.reason = BUSY_LABEL;
    answer_error(c, 503, BUSY_DETAIL);
  }
  return c->answered;
}

static void begin(Http2Call *c, const HttpHead *head, const Admission *a, const ForwardPeer *peer) {
  bool reusable = c->request_done && exchange_may_reuse(c->router, head);
  CLEANUP(buf_deinit) Buf out = {0};
  char parent[TRACE_PARENT_SIZE];
  if (c->log.span)
    trace_parent(c->log.span, parent);
  const ForwardRequest forward = {
      .path = buf_str(&a->path),
      .prefix = buf_str(&a->prefix),
      .peer = peer,
      .proto = a->proto,
      .port = c->log.target.port,
      .then = reusable ? FORWARD_THEN_KEEP : FORWARD_THEN_CLOSE,
      .traceparent = c->log.span ? parent : NULL,
      .cookie = c->router->admission.session.cookie,
  };
  c->chunked = forward_request(&out, head, &forward) == FORWARD_CHUNKED;
  if (c->is_grpc) {
    c->relay = grpc_relay_new(c->router, &c->log.target, &out, c->request_done, c->stream, &RELAY_HANDLERS, c);
    return;
  }
  ExchangeRequest request = {.head = &out, .is_head = c->is_head, .reusable = reusable};
  c->exchange = exchange_new(c->router, &c->log.target, &request, &EXCHANGE_HANDLERS, c);
}

static void start(Http2Call *c, const HttpHead *head, const ForwardPeer *peer) {
  CLEANUP(admission_deinit)
  Admission a = admit(&c->router->admission, head, peer->tls, clock_wall_ms() / 1000, &c->log.target);
  if (!answers(c, &a))
    begin(c, head, &a, peer);
}

void http2_call_new(Router *router, Http2Stream *stream, const Http2Request *request, const ForwardPeer *peer,
                    List *calls) {
  Http2Call *c = new0(Http2Call);
  HttpHead head;
  HttpHeader *fields = xcalloc(request->n_fields + 1, sizeof *fields);
  bool known = http2_request_head(request, fields, &head);
  c->router = router;
  c->stream = stream;
  c->is_head = strcmp(head.method, "HEAD") == 0;
  c->is_grpc = is_grpc(request);
  c->expects_continue = http_head_has_token(&head, "Expect", "100-continue");
  c->request_done = request->ended;
  list_append(calls, &c->link);
  http2_stream_set_owner(stream, c);
  http_log_start(&c->log, router, known ? &head : NULL, peer);
  if (!known)
    answer_error(c, 400, "Malformed HTTP request.");
  else
    start(c, &head, peer);
  free(fields);
}

void http2_call_body(void *call, const uint8_t *data, size_t len) {
  Http2Call *c = call;
  if (c->relay) {
    grpc_relay_body(c->relay, data, len);
    return;
  }
  c->untaken += len;
  if (!c->exchange) {
    http2_stream_took(c->stream, c->untaken);
    c->untaken = 0;
  } else if (c->ready) {
    send_body(c, data, len);
    take(c);
  } else if (buf_append(&c->early, data, len) != 0) {
    /* the stream's window is far below the buffer's limit */
    abort();
  }
}

void http2_call_end(void *call, const Http2Field *trailers, size_t n_trailers) {
  Http2Call *c = call;
  c->request_done = true;
  if (c->relay)
    grpc_relay_end(c->relay);
  else if (c->exchange && c->ready)
    send_end(c);
}

void http2_call_drain(void *call) {
  Http2Call *c = call;
  if (c->relay)
    grpc_relay_drain(c->relay);
  if (!c->exchange)
    return;
  exchange_note(c->exchange);
  exchange_resume(c->exchange);
}

void http2_call_close(void *call, uint32_t code) {
  call_free(call, 499);
}

void http2_calls_free(List *calls) {
  LIST_EACH(Http2Call, c, calls, link) call_free(c, 499);
}
