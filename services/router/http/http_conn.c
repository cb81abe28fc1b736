/* See http_conn.h. What a connection is doing is its phase; each phase has its own time limit. */
#include "services/router/http/http_conn.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/crypto/tls.h"
#include "lib/http2/http2_session.h"
#include "services/router/http/admit.h"
#include "services/router/http/http_conn_state.h"
#include "services/router/http/http_rpc.h"

/* Limits of the Agent Sandbox router. */
#define HEAD_TIMEOUT_MS 10000
/* For a client's first byte when the router ends: some round trips, and less than a person notices. */
#define LAST_REQUEST_MS 1000
/* What a client sends ahead is kept up to here. */
#define IN_MAX (64 << 10)

/* Whether the router answers the request itself, and has. */
static bool answer_here(HttpConn *c, const Admission *a) {
  Router *r = c->router;
  if (a->judged)
    metrics_add(r->service->metrics, ROUTER_AUTHZ_DECISIONS, 1, "-", a->status >= 400 ? "deny" : "allow", NULL);
  c->keep_alive = c->keep_alive && !a->close;
  bool here = a->status || !exchange_has_room(r);
  if (a->status == 200) {
    http_answer_health(c);
  } else if (a->status) {
    http_answer_admission(c, a);
  } else if (here) {
    c->log.reason = BUSY_LABEL;
    http_answer_error(c, 503, BUSY_DETAIL);
  }
  return here;
}

static void begin(HttpConn *c, const HttpHead *head, const Admission *a) {
  CLEANUP(buf_deinit) Buf out = {0};
  char parent[TRACE_PARENT_SIZE];
  if (c->log.span)
    trace_parent(c->log.span, parent);
  bool reusable = !c->upgrade && !c->draining && exchange_may_reuse(c->router, head);
  const ForwardRequest forward = {
      .path = buf_str(&a->path),
      .prefix = buf_str(&a->prefix),
      .peer = &c->peer,
      .proto = a->proto,
      .port = c->log.target.port,
      .then = c->upgrade ? FORWARD_THEN_UPGRADE
              : reusable ? FORWARD_THEN_KEEP
                         : FORWARD_THEN_CLOSE,
      .traceparent = c->log.span ? parent : NULL,
      .cookie = c->router->admission.session.cookie,
  };
  c->request_body = forward_request(&out, head, &forward);
  ExchangeRequest request = {.head = &out, .upgrade = c->upgrade, .is_head = c->is_head, .reusable = reusable};
  c->exchange = exchange_new(c->router, &c->log.target, &request, &HTTP_ANSWER_HANDLERS, c);
}

static bool on_request_head(void *arg, const HttpHead *head) {
  HttpConn *c = arg;
  loop_timer_stop(c->timer);
  c->phase = PHASE_ANSWER;
  c->keep_alive = head->keep_alive && !c->draining;
  c->is_head = strcmp(head->method, "HEAD") == 0;
  c->minor_version = head->minor_version;
  c->request_done = head->no_body;
  c->expects_continue = head->minor_version >= 1 && http_head_has_token(head, "Expect", "100-continue");
  /* one that comes with a body is an ordinary request: bytes behind it would be ambiguous */
  c->upgrade = forward_upgrades(head);
  c->answered = c->trailers = false;
  if (http_rpc_take(c, head))
    return true;
  http_log_start(&c->log, c->router, head, &c->peer);
  CLEANUP(admission_deinit)
  Admission a = admit(&c->router->admission, head, c->peer.tls, clock_wall_ms() / 1000, &c->log.target);
  if (answer_here(c, &a))
    return c->phase != PHASE_CLOSING;
  begin(c, head, &a);
  /* the body waits for the sandbox; without one the client's leaving should be seen */
  if (!c->request_done)
    stream_pause(c->stream);
  return true;
}

static void on_request_body(void *arg, const uint8_t *data, size_t len) {
  HttpConn *c = arg;
  if (c->rpc)
    http_rpc_body(c, data, len);
  if (!c->exchange)
    return;
  if (c->request_body == FORWARD_CHUNKED) {
    CLEANUP(buf_deinit) Buf chunk = {0};
    forward_chunk(&chunk, data, len);
    exchange_write(c->exchange, chunk.data, chunk.len);
  } else {
    exchange_write(c->exchange, data, len);
  }
  if (exchange_pending(c->exchange) >= STREAM_HIGH)
    stream_pause(c->stream);
}

static void on_request_end(void *arg) {
  HttpConn *c = arg;
  if (c->exchange && c->request_body == FORWARD_CHUNKED)
    exchange_write(c->exchange, "0\r\n\r\n", 5);
  c->request_done = true;
  if (c->rpc)
    rpc_http_end(c->rpc);
}

static const HttpReaderHandlers READER_HANDLERS = {
    .on_head = on_request_head, .on_body = on_request_body, .on_end = on_request_end};

/* Bytes that are no request, or whose body breaks off: 400, or silence when an answer has begun. */
static void malformed(HttpConn *c, const Error *err) {
  if (c->answered) {
    http_conn_reset(c);
    return;
  }
  http_conn_drop_exchange(c);
  c->keep_alive = c->request_done = c->is_head = false;
  if (c->phase != PHASE_ANSWER)
    http_log_start(&c->log, c->router, NULL, &c->peer);
  if (err->kind == ERROR_RESOURCE_EXHAUSTED)
    http_answer_error(c, 431, "Request header fields are too large.");
  else
    http_answer_error(c, 400, "Malformed HTTP request.");
}

static void on_front_over(void *arg) {
  http_conn_free(arg);
}

static void start_http2(HttpConn *c) {
  Stream *stream = c->stream;
  loop_timer_stop(c->timer);
  c->stream = NULL;
  c->phase = PHASE_HTTP2;
  c->front = http2_front_new(c->router, c->is_grpc, stream, &c->peer, on_front_over, c);
  if (c->draining)
    http2_front_drain(c->front);
}

/* What HTTP/2 begins with is no request of HTTP/1.1 (RFC 9113, 3.4). Whether these bytes may be it, so that they are
 * not HTTP/1.1's yet, or never. */
static bool goes_http2(HttpConn *c, const uint8_t *data, size_t len) {
  size_t n = len < HTTP2_PREFACE_LEN ? len : HTTP2_PREFACE_LEN;
  if (c->is_http1)
    return false;
  if (memcmp(data, HTTP2_PREFACE, n) != 0)
    c->is_http1 = true;
  else if (n == HTTP2_PREFACE_LEN)
    start_http2(c);
  return !c->is_http1;
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  HttpConn *c = arg;
  size_t used;
  Error err;
  switch (c->phase) {
  case PHASE_CLOSING:
    return len;
  case PHASE_TUNNEL:
    exchange_write(c->exchange, data, len);
    if (exchange_pending(c->exchange) >= STREAM_HIGH)
      stream_pause(c->stream);
    return len;
  case PHASE_ANSWER:
    if (c->request_done)
      return 0;
    break;
  case PHASE_IDLE:
    /* a client that asks and does not read: its next question waits until it does */
    if (stream_pending(c->stream) >= STREAM_HIGH)
      return 0;
    c->phase = PHASE_HEAD;
    loop_timer_start(c->timer, HEAD_TIMEOUT_MS);
    break;
  case PHASE_HEAD:
  case PHASE_HTTP2:
    break;
  }
  if (goes_http2(c, data, len))
    return 0;
  if (http_reader_feed(c->reader, data, len, &used, &err) == 0)
    return used;
  malformed(c, &err);
  return len;
}

static void on_eof(void *arg) {
  HttpConn *c = arg;
  if (c->phase == PHASE_TUNNEL) {
    exchange_end(c->exchange);
  } else if (c->phase != PHASE_CLOSING || stream_pending(c->stream) == 0) {
    http_conn_free(c);
  }
}

static void on_drain(void *arg) {
  HttpConn *c = arg;
  stream_show_again(c->stream);
  if (c->rpc)
    rpc_http_drained(c->rpc);
  if (!c->exchange)
    return;
  exchange_note(c->exchange);
  exchange_resume(c->exchange);
}

static void on_error(void *arg, int errnum) {
  http_conn_free(arg);
}

static const StreamHandlers STREAM_HANDLERS = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_error = on_error};

static void on_timer(void *arg) {
  HttpConn *c = arg;
  if (c->rpc) {
    http_rpc_time(c);
  } else if (c->phase == PHASE_CLOSING) {
    http_conn_step_closing(c);
  } else if (c->phase == PHASE_HEAD) {
    http_log_start(&c->log, c->router, NULL, &c->peer);
    c->keep_alive = c->is_head = false;
    http_answer_error(c, 408, "Timed out waiting for the request.");
  } else {
    http_conn_free(c);
  }
}

/* What was agreed upon decides, and not what the first bytes look like. */
static void take_tls(HttpConn *c, TlsHandshake *handshake) {
  char protocol[16];
  const struct ssl_st *ssl = tls_handshake_ssl(handshake);
  tls_protocol(ssl, protocol, sizeof protocol);
  c->subject = tls_peer_subject(ssl);
  c->peer.tls = true;
  c->peer.subject = c->subject;
  c->is_http1 = strcmp(protocol, "h2") != 0;
  c->stream = tls_handshake_take(handshake, IN_MAX, &STREAM_HANDLERS, c);
}

HttpConn *http_conn_new(Router *router, const HttpArrival *arrival, void (*closed)(void *arg, HttpConn *conn),
                        void *arg) {
  HttpConn *c = new0(HttpConn);
  c->router = router;
  c->is_grpc = arrival->is_grpc;
  c->closed = closed;
  c->closed_arg = arg;
  snprintf(c->peer_ip, sizeof c->peer_ip, "%s", arrival->peer_ip);
  c->peer.ip = c->peer_ip;
  if (arrival->handshake)
    take_tls(c, arrival->handshake);
  else
    c->stream = stream_new(router->loop, arrival->fd, IN_MAX, &STREAM_HANDLERS, c);
  c->reader = http_reader_new(HTTP_REQUESTS, &READER_HANDLERS, c);
  c->timer = loop_timer_new(router->loop, on_timer, c);
  if (c->peer.tls && !c->is_http1) {
    start_http2(c);
    return c;
  }
  http_conn_idle(c);
  /* who connects has something to say */
  loop_timer_start(c->timer, HEAD_TIMEOUT_MS);
  return c;
}

/* A client that was let in and has not asked yet is about to, and one that has asked is to be answered: what it sent is
 * in the socket. */
static bool is_about_to_ask(const HttpConn *c) {
  char byte;
  return stream_sent(c->stream) == 0 || recv(stream_fd(c->stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

void http_conn_drain(HttpConn *c) {
  c->draining = true;
  c->keep_alive = false;
  if (c->front)
    http2_front_drain(c->front);
  if (c->phase != PHASE_IDLE)
    return;
  if (is_about_to_ask(c))
    loop_timer_start(c->timer, LAST_REQUEST_MS);
  else
    http_conn_close(c);
}

void http_conn_abort(HttpConn *c) {
  http_conn_free(c);
}

void http_conn_link(HttpConn *c, HttpConn **head) {
  c->next = *head;
  if (*head)
    (*head)->prev = c;
  *head = c;
}

void http_conn_unlink(HttpConn *c, HttpConn **head) {
  if (c->prev)
    c->prev->next = c->next;
  else
    *head = c->next;
  if (c->next)
    c->next->prev = c->prev;
}

HttpConn *http_conn_next(const HttpConn *c) {
  return c->next;
}
