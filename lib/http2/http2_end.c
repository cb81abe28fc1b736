/* See http2_end.h. */
#include "lib/http2/http2_end.h"

const uint8_t HTTP2_DRAIN_PING[8] = "draining";

void http2_set_why(Http2Session *s, Http2Why why) {
  if (!s->whyed)
    s->why = why;
  s->whyed = true;
}

void http2_give_up(Http2Session *s, Http2Why why, uint32_t code) {
  http2_set_why(s, why);
  s->deaf = s->gave_up = true;
  nghttp2_session_terminate_session(s->ng, code);
  http2_kick(s);
}

void http2_say_last(Http2Session *s) {
  if (s->last_said || !s->draining)
    return;
  s->last_said = true;
  loop_timer_stop(s->farewell);
  nghttp2_submit_goaway(s->ng, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(s->ng), NGHTTP2_NO_ERROR,
                        NULL, 0);
}

/* The peer has not got its whole head. What the kernel took may have arrived, whatever it says of the connection. */
static bool is_unsent(const Http2Stream *h) {
  return h->head_end == 0 || h->head_end > stream_sent(h->session->stream);
}

void http2_tell_close(Http2Stream *h, uint32_t code) {
  if (!h->owned)
    return;
  h->owned = false;
  if (h->session->client && is_unsent(h))
    code = HTTP2_REFUSED_STREAM;
  /* a reset that says nothing, in the place of an answer */
  else if (h->session->client && !h->request_done && code == HTTP2_NO_ERROR)
    code = HTTP2_INTERNAL_ERROR;
  h->handlers->on_close(h->owner, code);
}

void http2_close_streams(Http2Session *s) {
  LIST_EACH(Http2Stream, h, &s->streams, link) {
    http2_tell_close(h, HTTP2_CANCEL);
    if (s->dead)
      return;
  }
}

void http2_tell_over(Http2Session *s) {
  if (s->told || s->dead)
    return;
  s->told = true;
  s->handlers.on_over(s->arg, s->why);
}

void http2_cut(Http2Session *s, Http2Why why) {
  http2_set_why(s, why);
  s->deaf = true;
  http2_close_streams(s);
  http2_tell_over(s);
}
