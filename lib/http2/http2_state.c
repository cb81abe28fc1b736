/* See http2_state.h. */
#include "lib/http2/http2_state.h"

#include "lib/base/alloc.h"

/* ---- The session ---- */

static void release(Http2Session *s) {
  nghttp2_session_del(s->ng);
  LIST_EACH(Http2Stream, h, &s->streams, link) http2_stream_free(h);
  http2_head_clear(&s->head);
  buf_deinit(&s->gather);
  free(s);
}

void http2_enter(Http2Session *s) {
  s->depth++;
}

void http2_leave(Http2Session *s) {
  if (--s->depth == 0 && s->dead)
    release(s);
}

void http2_bury(Http2Session *s) {
  if (s->depth == 0)
    release(s);
}

void http2_kick(Http2Session *s) {
  if (!s->dead && s->depth == 0)
    loop_timer_start(s->kick, 0);
}

size_t http2_kept(const Http2Session *s) {
  return s->heads + s->out + (s->stream ? stream_pending(s->stream) : 0);
}

/* ---- Its streams ---- */

Http2Stream *http2_stream_new(Http2Session *s, int32_t id) {
  Http2Stream *h = new0(Http2Stream);
  h->session = s;
  h->handlers = &s->handlers;
  h->id = id;
  /* writers stop at their share, give or take the largest message that they have */
  h->out = BUF_INIT(BUF_MAX_DEFAULT);
  list_append(&s->streams, &h->link);
  s->n_streams++;
  if (id)
    nghttp2_session_set_stream_user_data(s->ng, id, h);
  return h;
}

void http2_stream_set_full(Http2Stream *h, bool full) {
  if (h->full != full)
    h->session->n_full += full ? 1 : -1;
  h->full = full;
}

void http2_stream_drop_answer(Http2Stream *h) {
  h->session->out -= h->out.len - h->out_at;
  buf_deinit(&h->out);
  h->out_at = 0;
  http2_stream_set_full(h, false);
}

void http2_stream_free(Http2Stream *h) {
  Http2Session *s = h->session;
  http2_stream_drop_answer(h);
  s->heads -= h->heads;
  s->n_streams--;
  list_remove(&h->link);
  http2_fields_clear(&h->trailers);
  free(h);
}

Http2Stream *http2_stream_of(Http2Session *s, int32_t id) {
  return nghttp2_session_get_stream_user_data(s->ng, id);
}
