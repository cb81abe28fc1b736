/* See http2_clock.h. */
#include "lib/http2/http2_clock.h"

#include "lib/http2/http2_end.h"

enum { REFILL_MS = 1000 };

/* Answers wait for the peer's windows, and nothing for its socket. */
static bool waits_for_window(const Http2Session *s) {
  return s->out > 0 && !s->deaf && stream_pending(s->stream) == 0;
}

void http2_watch_stall(Http2Session *s) {
  bool waits = waits_for_window(s) || stream_pending(s->stream) > 0;
  if (s->stalling && !waits)
    loop_timer_stop(s->stall);
  if (waits && !s->stalling) {
    s->sent_seen = stream_sent(s->stream);
    s->bodies_seen = s->bodies_sent;
    s->window_seen = waits_for_window(s);
    loop_timer_start(s->stall, s->config.stall_ms);
  }
  s->stalling = waits;
}

static Http2Life life_of(const Http2Session *s) {
  if (s->mode == HTTP2_LIFE_ENDING)
    return HTTP2_LIFE_ENDING;
  if (s->head.id)
    return HTTP2_LIFE_HEAD;
  if (s->n_streams > 0)
    return HTTP2_LIFE_BUSY;
  bool begun = s->client ? s->settled : s->mode != HTTP2_LIFE_NEW;
  return begun ? HTTP2_LIFE_IDLE : HTTP2_LIFE_NEW;
}

void http2_set_life(Http2Session *s) {
  Http2Life mode = life_of(s);
  /* whoever broke a rule need not have taken what was left to say, and is not read from for longer */
  if (mode == HTTP2_LIFE_ENDING && (stream_pending(s->stream) == 0 || s->gave_up))
    loop_timer_start(s->life, s->config.farewell_ms);
  if (mode == s->mode)
    return;
  s->mode = mode;
  if (mode == HTTP2_LIFE_BUSY || (mode == HTTP2_LIFE_IDLE && s->config.idle_ms == 0))
    loop_timer_stop(s->life);
  else
    loop_timer_start(s->life, mode == HTTP2_LIFE_IDLE ? s->config.idle_ms : s->config.head_ms);
}

/* Whose windows stay shut: those streams end, for the others may wait for their sandboxes. */
static void drop_stalled(Http2Session *s) {
  bool all = nghttp2_session_get_remote_window_size(s->ng) <= 0;
  LIST_EACH(Http2Stream, h, &s->streams, link) {
    if (h->out.len == h->out_at || (!all && nghttp2_session_get_stream_remote_window_size(s->ng, h->id) > 0))
      continue;
    nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_CANCEL);
    if (s->handlers.on_refused)
      s->handlers.on_refused(s->arg, HTTP2_WHY_STALLED);
    if (s->dead)
      return;
  }
  loop_timer_start(s->kick, 0);
}

static void on_stall(void *arg) {
  Http2Session *s = arg;
  s->stalling = false;
  if (stream_pending(s->stream) > 0 && stream_sent(s->stream) == s->sent_seen) {
    http2_enter(s);
    stream_reset_on_close(s->stream);
    http2_cut(s, HTTP2_WHY_STALLED);
    http2_leave(s);
    return;
  }
  /* by the bytes of answers alone: what else leaves, as answers to PING, the peer can have for ever */
  if (s->window_seen && waits_for_window(s) && s->bodies_sent == s->bodies_seen) {
    http2_enter(s);
    drop_stalled(s);
    http2_leave(s);
    return;
  }
  http2_watch_stall(s);
}

static void on_refill(void *arg) {
  Http2Session *s = arg;
  http2_budget_refill(&s->budget);
  s->refilling = !http2_budget_is_whole(&s->budget);
  if (s->refilling)
    loop_timer_start(s->refill, REFILL_MS);
}

bool http2_spend(Http2Session *s, Http2Flood flood) {
  if (!http2_budget_spend(&s->budget, flood)) {
    http2_give_up(s, (Http2Why)(HTTP2_WHY_RESETS + (int)flood), NGHTTP2_ENHANCE_YOUR_CALM);
    return false;
  }
  if (!s->refilling) {
    s->refilling = true;
    loop_timer_start(s->refill, REFILL_MS);
  }
  return true;
}

/* Any byte is a sign of life, so under load nobody is asked. */
static void on_ping(void *arg) {
  Http2Session *s = arg;
  if (s->pinged && !s->heard) {
    http2_enter(s);
    http2_cut(s, HTTP2_WHY_SILENT);
    http2_leave(s);
    return;
  }
  s->pinged = !s->heard && !s->deaf;
  s->heard = false;
  loop_timer_start(s->ping, s->pinged ? s->config.ping_wait_ms : s->config.ping_ms);
  if (!s->pinged)
    return;
  nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL);
  http2_kick(s);
}

void http2_clock_start(Http2Session *s, void (*on_life)(void *arg), void (*on_farewell)(void *arg)) {
  s->life = loop_timer_new(s->loop, on_life, s);
  s->stall = loop_timer_new(s->loop, on_stall, s);
  s->refill = loop_timer_new(s->loop, on_refill, s);
  s->farewell = loop_timer_new(s->loop, on_farewell, s);
  loop_timer_start(s->life, s->config.head_ms);
  s->ping = loop_timer_new(s->loop, on_ping, s);
  if (s->config.ping_ms > 0)
    loop_timer_start(s->ping, s->config.ping_ms);
}

void http2_clock_stop(Http2Session *s) {
  loop_timer_free(s->life);
  loop_timer_free(s->stall);
  loop_timer_free(s->refill);
  loop_timer_free(s->farewell);
  loop_timer_free(s->ping);
}
