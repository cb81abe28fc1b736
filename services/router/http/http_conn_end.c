/* How a request and its connection end. See http_conn_state.h. */
#include <stdlib.h>

#include "services/router/http/http_conn_state.h"

/* Of the Agent Sandbox router. */
#define IDLE_TIMEOUT_MS 120000
/* A closing client gets the rest of its answer as long as it takes some of it every so often. */
#define CLOSE_STEP_MS 2000
#define CLOSE_STEPS 15

void http_conn_drop_exchange(HttpConn *c) {
  if (!c->exchange)
    return;
  c->log.ns = exchange_is_found(c->exchange) ? c->log.target.ns : "-";
  exchange_free(c->exchange);
  c->exchange = NULL;
}

void http_conn_free(HttpConn *c) {
  http_conn_drop_exchange(c);
  if (c->stream)
    http_log_end(&c->log, c->router, 499, stream_sent(c->stream) - c->sent_before);
  stream_free(c->stream);
  http2_front_free(c->front);
  http_reader_free(c->reader);
  loop_timer_free(c->timer);
  free(c->subject);
  c->closed(c->closed_arg, c);
  free(c);
}

void http_conn_reset(HttpConn *c) {
  http_log_end(&c->log, c->router, c->log.status, stream_sent(c->stream) - c->sent_before);
  stream_flush(c->stream);
  stream_reset_on_close(c->stream);
  http_conn_free(c);
}

void http_conn_close(HttpConn *c) {
  c->phase = PHASE_CLOSING;
  c->close_sent = stream_sent(c->stream);
  c->close_steps = 0;
  stream_end(c->stream);
  stream_resume(c->stream);
  loop_timer_start(c->timer, CLOSE_STEP_MS);
}

void http_conn_idle(HttpConn *c) {
  c->phase = PHASE_IDLE;
  c->sent_before = stream_sent(c->stream);
  loop_timer_start(c->timer, IDLE_TIMEOUT_MS);
  stream_resume(c->stream);
  stream_show_again(c->stream);
}

void http_conn_over(HttpConn *c, int status) {
  http_conn_drop_exchange(c);
  http_log_end(&c->log, c->router, status, stream_sent(c->stream) + stream_pending(c->stream) - c->sent_before);
  if (c->keep_alive && c->request_done && !c->draining)
    http_conn_idle(c);
  else
    http_conn_close(c);
}

void http_conn_step_closing(HttpConn *c) {
  bool stuck = stream_sent(c->stream) == c->close_sent;
  c->close_sent = stream_sent(c->stream);
  c->close_steps = stuck ? c->close_steps + 1 : 0;
  if (stream_pending(c->stream) == 0 || c->close_steps >= CLOSE_STEPS)
    http_conn_free(c);
  else
    loop_timer_start(c->timer, CLOSE_STEP_MS);
}
