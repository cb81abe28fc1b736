/* How a request is answered: by the router itself, or by a sandbox through an exchange. See
 * http_conn_state.h. */
#include <stdio.h>

#include "services/router/http/http_conn_state.h"
#include "services/router/route/answer_rewrite.h"

/* Pieces of an answer up to this size are gathered, so that a small one leaves in one call. */
#define SMALL_PIECE (4 << 10)

static void answer_here(HttpConn *c, const ForwardError *error) {
  CLEANUP(buf_deinit) Buf out = {0};
  c->keep_alive = c->keep_alive && c->request_done && !c->draining;
  forward_error(&out, error, c->keep_alive, c->is_head);
  stream_write(c->stream, out.data, out.len);
  c->answered = true;
  http_conn_over(c, error->status);
}

void http_answer_error(HttpConn *c, int status, const char *detail) {
  answer_here(c, &(ForwardError){.status = status, .detail = detail, .reason = c->log.reason});
}

void http_answer_admission(HttpConn *c, const Admission *a) {
  answer_here(c, &(ForwardError){.status = a->status,
                                 .detail = a->detail,
                                 .allow = a->allow,
                                 .location = buf_str(&a->location),
                                 .set_cookie = buf_str(&a->set_cookie)});
}

/* ---- The sandbox's side ---- */

static void on_ready(void *arg) {
  HttpConn *c = arg;
  if (c->expects_continue && !c->request_done)
    stream_printf(c->stream, "HTTP/1.1 100 Continue\r\n\r\n");
  stream_resume(c->stream);
}

static void on_exchange_drain(void *arg) {
  HttpConn *c = arg;
  stream_resume(c->stream);
}

/* As it fits where the client sees the sandbox. */
static const HttpHead *rewritten(const HttpConn *c, const HttpHead *head, AnswerRewrite *ret) {
  const AdmitRules *rules = &c->router->admission;
  return answer_rewrite(&rules->routing, &c->log.target, rules->session.cookie, head, ret);
}

static void on_answer_head(void *arg, const HttpHead *head) {
  HttpConn *c = arg;
  CLEANUP(buf_deinit) Buf out = {0};
  /* a body that is still coming when the answer does may never end: not worth a connection */
  ForwardClient client = {c->minor_version, c->keep_alive && c->request_done && !c->draining};
  CLEANUP(answer_rewrite_deinit) AnswerRewrite rewrite = {0};
  c->answer_body = forward_response(&out, rewritten(c, head, &rewrite), client, &c->keep_alive);
  c->answered = true;
  c->log.status = head->status;
  stream_queue(c->stream, out.data, out.len);
}

static void write_chunk(HttpConn *c, const uint8_t *data, size_t len) {
  CLEANUP(buf_deinit) Buf chunk = {0};
  forward_chunk(&chunk, data, len);
  if (len <= SMALL_PIECE)
    stream_queue(c->stream, chunk.data, chunk.len);
  else
    stream_write(c->stream, chunk.data, chunk.len);
}

static void on_answer_body(void *arg, const uint8_t *data, size_t len) {
  HttpConn *c = arg;
  if (c->phase == PHASE_ANSWER && c->answer_body == FORWARD_CHUNKED)
    write_chunk(c, data, len);
  else
    stream_write(c->stream, data, len);
  if (stream_pending(c->stream) >= STREAM_HIGH)
    exchange_pause(c->exchange);
}

static void on_answer_trailer(void *arg, const HttpHeader *field) {
  HttpConn *c = arg;
  if (c->answer_body != FORWARD_CHUNKED || !forward_allows_trailer(field->name))
    return;
  if (!c->trailers) {
    stream_write(c->stream, "0\r\n", 3);
    c->trailers = true;
  }
  stream_printf(c->stream, "%s: %s\r\n", field->name, field->value);
}

static void on_answer_end(void *arg) {
  HttpConn *c = arg;
  if (c->phase == PHASE_ANSWER && c->answer_body == FORWARD_CHUNKED)
    stream_printf(c->stream, "%s\r\n", c->trailers ? "" : "0\r\n");
  stream_flush(c->stream);
  http_conn_over(c, c->log.status);
}

static void on_switch(void *arg, const HttpHead *head) {
  HttpConn *c = arg;
  CLEANUP(buf_deinit) Buf out = {0};
  CLEANUP(answer_rewrite_deinit) AnswerRewrite rewrite = {0};
  forward_switch(&out, rewritten(c, head, &rewrite));
  stream_write(c->stream, out.data, out.len);
  c->phase = PHASE_TUNNEL;
  c->answered = true;
  c->keep_alive = false;
  c->log.status = 101;
  stream_show_again(c->stream);
}

static void on_exchange_fail(void *arg, Failure failure, const char *why) {
  HttpConn *c = arg;
  char detail[768];
  c->log.reason = FAILURES[failure].label;
  if (c->phase == PHASE_TUNNEL) {
    http_conn_over(c, 101);
  } else if (c->answered) {
    http_conn_reset(c);
  } else {
    snprintf(detail, sizeof detail, "%s: %s: %s", FAILURES[failure].opening, c->log.target.id, why);
    http_answer_error(c, FAILURES[failure].status, detail);
  }
}

const ExchangeHandlers HTTP_ANSWER_HANDLERS = {
    .on_ready = on_ready,
    .on_drain = on_exchange_drain,
    .on_head = on_answer_head,
    .on_body = on_answer_body,
    .on_trailer = on_answer_trailer,
    .on_end = on_answer_end,
    .on_switch = on_switch,
    .on_fail = on_exchange_fail,
};

void http_answer_health(HttpConn *c) {
  static const char BODY[] = "{\"status\":\"ok\"}";
  c->keep_alive = c->keep_alive && c->request_done;
  stream_printf(c->stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n%s\r\n%s",
                sizeof BODY - 1, c->keep_alive ? "" : "Connection: close\r\n", c->is_head ? "" : BODY);
  http_conn_over(c, 200);
}
