/* See http2_session.h, and http2_client.h for how a client's begins. The top of the parts (http2_state.h): it owns the
 * connection, brings bytes to nghttp2 and from it, and acts when time is up. */
#include "lib/http2/http2_session.h"

#include "lib/base/alloc.h"
#include "lib/http2/http2_client.h"
#include "lib/http2/http2_clock.h"
#include "lib/http2/http2_end.h"
#include "lib/http2/http2_engine.h"
#include "lib/http2/http2_send.h"

/* One read; all of it is always used. */
enum { IN_MAX = 64 << 10 };

void http2_session_free(Http2Session *s) {
  if (!s || s->dead)
    return;
  s->dead = true;
  stream_free(s->stream);
  s->stream = NULL;
  loop_timer_free(s->kick);
  http2_clock_stop(s);
  http2_bury(s);
}

size_t http2_session_streams(const Http2Session *s) {
  return s->n_streams;
}

size_t http2_session_kept(const Http2Session *s) {
  return http2_kept(s);
}

/* ---- The end ---- */

/* Everything is said: what waits leaves, then our side is closed, then the peer is waited for; an end of both at once
 * would be a reset, which can overtake the last words. */
static void say_goodbye(Http2Session *s) {
  if (s->mode == HTTP2_LIFE_ENDING)
    return;
  s->mode = HTTP2_LIFE_ENDING;
  s->deaf = true;
  http2_set_why(s, s->draining ? HTTP2_WHY_DRAINED : s->peer_leaves ? HTTP2_WHY_CLOSED : HTTP2_WHY_PROTOCOL);
  http2_close_streams(s);
  if (s->dead)
    return;
  stream_end(s->stream);
  http2_set_life(s);
}

void http2_session_end(Http2Session *s, uint32_t code) {
  http2_give_up(s, HTTP2_WHY_ENDED, code);
}

void http2_session_drain(Http2Session *s) {
  if (s->draining || s->deaf)
    return;
  s->draining = true;
  nghttp2_submit_shutdown_notice(s->ng);
  loop_timer_start(s->farewell, s->config.farewell_ms);
  http2_kick(s);
}

/* ---- Sending ---- */

static bool has_more(const Http2Session *s) {
  /* the last word goes behind all that waits, however much that is */
  if (s->gave_up)
    return nghttp2_session_want_write(s->ng);
  return stream_pending(s->stream) + s->gather.len < STREAM_HIGH;
}

/* What nghttp2 wants to say, in one piece; -1: it can say no more. */
static int collect(Http2Session *s) {
  while (has_more(s)) {
    const uint8_t *data;
    ssize_t n = nghttp2_session_mem_send(s->ng, &data);
    if (n < 0 || s->dead)
      return -1;
    size_t before = s->gather.len;
    if (n > 0 && buf_append(&s->gather, data, (size_t)n) != 0)
      return -1;
    if (n == 0 && s->gather.len == before)
      break;
  }
  return 0;
}

/* Sends what nghttp2 has, as far as the socket should be filled; and ends the session that has nothing left to do. Runs
 * handlers. */
static void pump(Http2Session *s) {
  if (s->dead || s->mode == HTTP2_LIFE_ENDING || s->told)
    return;
  int rc = collect(s);
  if (s->dead)
    return;
  stream_write(s->stream, s->gather.data, s->gather.len);
  s->gather.len = 0;
  if (s->n_streams == 0)
    buf_deinit(&s->gather);
  http2_watch_stall(s);
  if (rc != 0) {
    http2_cut(s, HTTP2_WHY_PROTOCOL);
    return;
  }
  http2_tell_drained(s);
  if (s->dead)
    return;
  if (!nghttp2_session_want_read(s->ng) && !nghttp2_session_want_write(s->ng))
    say_goodbye(s);
  else
    http2_set_life(s);
}

static void pump_alone(Http2Session *s) {
  http2_enter(s);
  pump(s);
  http2_leave(s);
}

static void on_kick(void *arg) {
  pump_alone(arg);
}

/* ---- When time is up ---- */

static void on_life(void *arg) {
  Http2Session *s = arg;
  http2_enter(s);
  Http2Why why = s->mode == HTTP2_LIFE_IDLE ? HTTP2_WHY_IDLE : HTTP2_WHY_HEAD_TIME;
  if (s->mode == HTTP2_LIFE_ENDING) {
    http2_tell_over(s);
  } else if (s->mode == HTTP2_LIFE_IDLE && s->client) {
    http2_give_up(s, why, NGHTTP2_NO_ERROR);
  } else if (s->mode != HTTP2_LIFE_HEAD && s->settled) {
    http2_set_why(s, why);
    http2_session_drain(s);
  } else {
    http2_give_up(s, why, NGHTTP2_ENHANCE_YOUR_CALM);
  }
  pump(s);
  http2_leave(s);
}

static void on_farewell(void *arg) {
  http2_say_last(arg);
  pump_alone(arg);
}

/* ---- The connection ---- */

static void give_up_for(Http2Session *s, ssize_t rc) {
  if (rc == NGHTTP2_ERR_FLOODED)
    http2_give_up(s, HTTP2_WHY_UNREAD_ACKS, NGHTTP2_ENHANCE_YOUR_CALM);
  else if (rc == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
    http2_give_up(s, HTTP2_WHY_CONTINUATIONS, NGHTTP2_ENHANCE_YOUR_CALM);
  else
    http2_give_up(s, HTTP2_WHY_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  Http2Session *s = arg;
  s->heard = true;
  if (s->deaf)
    return len;
  http2_enter(s);
  ssize_t rc = nghttp2_session_mem_recv(s->ng, data, len);
  if (!s->dead && rc < 0)
    give_up_for(s, rc);
  pump(s);
  http2_leave(s);
  return len;
}

static void on_gone(Http2Session *s) {
  http2_enter(s);
  http2_cut(s, HTTP2_WHY_CLOSED);
  http2_leave(s);
}

static void on_eof(void *arg) {
  on_gone(arg);
}

static void on_error(void *arg, int errnum) {
  on_gone(arg);
}

static void on_room(void *arg) {
  pump_alone(arg);
}

static void on_flushed(void *arg) {
  Http2Session *s = arg;
  http2_set_life(s);
  pump_alone(s);
}

static const StreamHandlers STREAM_HANDLERS = {
    .on_data = on_data,
    .on_eof = on_eof,
    .on_drain = on_room,
    .on_error = on_error,
    .must_write = true,
    .on_flushed = on_flushed,
};

/* ---- The beginning ---- */

static void submit_settings(Http2Session *s) {
  const Http2Config *c = &s->config;
  const nghttp2_settings_entry settings[] = {
      {s->client ? NGHTTP2_SETTINGS_ENABLE_PUSH : NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
       s->client ? 0 : c->max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, c->stream_window},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->max_head_bytes},
      {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, c->header_table},
  };
  nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings));
  nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, (int32_t)c->session_window);
}

static Http2Session *session_new(Loop *loop, const Http2Config *config, void *arg) {
  Http2Session *s = new0(Http2Session);
  s->loop = loop;
  s->config = *config;
  s->arg = arg;
  s->last_id = -1;
  list_init(&s->streams);
  http2_budget_init(&s->budget, s->config.floods);
  s->kick = loop_timer_new(loop, on_kick, s);
  return s;
}

static void start(Http2Session *s, Stream *stream) {
  s->stream = stream;
  s->ng = http2_engine_new(s);
  submit_settings(s);
  http2_clock_start(s, on_life, on_farewell);
  stream_hand_over(stream, IN_MAX, &STREAM_HANDLERS, s);
  http2_kick(s);
}

Http2Session *http2_session_new(Loop *loop, Stream *stream, const Http2Config *config, const Http2Handlers *handlers,
                                void *arg) {
  Http2Session *s = session_new(loop, config, arg);
  s->handlers = *handlers;
  start(s, stream);
  return s;
}

Http2Session *http2_client_new(Loop *loop, Stream *stream, const Http2Config *config,
                               const Http2ClientHandlers *handlers, void *arg) {
  Http2Session *s = session_new(loop, config, arg);
  s->client = true;
  s->handlers = (Http2Handlers){.on_body = handlers->on_body,
                                .on_end = handlers->on_end,
                                .on_drain = handlers->on_drain,
                                .on_close = handlers->on_close,
                                .on_over = handlers->on_over};
  s->on_response = handlers->on_response;
  s->on_change = handlers->on_change;
  start(s, stream);
  return s;
}
