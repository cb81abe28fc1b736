/* See http2_send.h and http2_stream.h. */
#include "lib/http2/http2_send.h"

#include "lib/http2/http2_clock.h"
#include "lib/http2/http2_end.h"
#include "lib/http2/http2_stream.h"

/* DATA shorter than this that the peer's window cut short earns nothing: a peer that opens it by bytes makes as many
 * frames as it sends. */
enum { FRAME_HEAD = 9, DRIBBLE = 256 };

void http2_stream_set_owner(Http2Stream *h, void *owner) {
  h->owner = owner;
}

void http2_stream_give(Http2Stream *h, const Http2Handlers *handlers, void *owner) {
  h->handlers = handlers;
  h->owner = owner;
}

int32_t http2_stream_id(const Http2Stream *h) {
  return h->id;
}

void http2_stream_took(Http2Stream *h, size_t len) {
  if (len > h->untaken)
    len = h->untaken;
  h->untaken -= len;
  if (len > 0 && nghttp2_session_consume(h->session->ng, h->id, len) != 0)
    return;
  http2_kick(h->session);
}

/* ---- Saying it ---- */

static Http2Fields fields_of(Http2Stream *h, int status, const Http2Field *fields, size_t n_fields) {
  Http2Fields all = http2_fields_new(status, fields, n_fields);
  h->heads += all.bytes;
  h->session->heads += all.bytes;
  return all;
}

void http2_stream_interim(Http2Stream *h, int status, const Http2Field *fields, size_t n_fields) {
  if (h->headed || !h->owned)
    return;
  Http2Fields all = fields_of(h, status, fields, n_fields);
  nghttp2_submit_headers(h->session->ng, NGHTTP2_FLAG_NONE, h->id, NULL, all.nv, all.n, NULL);
  http2_fields_clear(&all);
  http2_kick(h->session);
}

/* nghttp2 asks for no more than it may send. */
static ssize_t on_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t len, uint32_t *flags,
                       nghttp2_data_source *source, void *arg) {
  Http2Stream *h = source->ptr;
  size_t pending = http2_stream_pending(h), n = pending < len ? pending : len;
  if (n == 0 && !h->finished)
    return NGHTTP2_ERR_DEFERRED;
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (!h->finished || n < pending)
    return (ssize_t)n;
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (h->trailers.n > 0) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    nghttp2_submit_trailer(ng, id, h->trailers.nv, h->trailers.n);
    http2_fields_clear(&h->trailers);
  }
  return (ssize_t)n;
}

static void respond(Http2Stream *h, int status, const Http2Field *fields, size_t n_fields, bool ended) {
  nghttp2_data_provider provider = {.source.ptr = h, .read_callback = on_read};
  Http2Fields all = fields_of(h, status, fields, n_fields);
  h->headed = true;
  h->finished = ended;
  nghttp2_submit_response(h->session->ng, h->id, all.nv, all.n, ended ? NULL : &provider);
  http2_fields_clear(&all);
  http2_kick(h->session);
}

void http2_stream_respond(Http2Stream *h, int status, const Http2Field *fields, size_t n_fields, bool ended) {
  if (!h->headed && h->owned)
    respond(h, status, fields, n_fields, ended);
}

int http2_send_request(Http2Stream *h, const Http2Field *fields, size_t n_fields, bool ended) {
  nghttp2_data_provider provider = {.source.ptr = h, .read_callback = on_read};
  Http2Fields all = http2_fields_new(0, fields, n_fields);
  h->headed = true;
  h->finished = ended;
  h->id = nghttp2_submit_request(h->session->ng, NULL, all.nv, all.n, ended ? NULL : &provider, h);
  http2_fields_clear(&all);
  if (h->id < 0)
    return -1;
  /* who is asked may say once that he does not answer */
  http2_budget_grant(&h->session->budget, HTTP2_FLOOD_RESETS);
  http2_kick(h->session);
  return 0;
}

void http2_refuse(Http2Stream *h, int status) {
  const Http2Field none = {"content-length", "0"};
  respond(h, status, &none, 1, true);
}

static void resume(Http2Stream *h) {
  /* fails where nothing was put off, and then nothing is to be resumed */
  nghttp2_session_resume_data(h->session->ng, h->id);
  http2_kick(h->session);
}

void http2_stream_write(Http2Stream *h, const void *data, size_t len) {
  if (!h->headed || h->finished || !h->owned || len == 0)
    return;
  if (h->out_at > 0 && h->out_at >= h->out.len / 2) {
    buf_consume(&h->out, h->out_at);
    h->out_at = 0;
  }
  if (buf_append(&h->out, data, len) != 0) {
    /* an owner that never looks whether it is full */
    nghttp2_submit_rst_stream(h->session->ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_INTERNAL_ERROR);
    return;
  }
  h->session->out += len;
  resume(h);
}

void http2_stream_finish(Http2Stream *h, const Http2Field *trailers, size_t n_trailers) {
  if (!h->headed || h->finished || !h->owned)
    return;
  if (n_trailers > 0)
    h->trailers = fields_of(h, 0, trailers, n_trailers);
  h->finished = true;
  resume(h);
}

void http2_stream_reset(Http2Stream *h, uint32_t code) {
  if (!h->owned)
    return;
  h->owned = false;
  h->left = true;
  http2_stream_drop_answer(h);
  nghttp2_submit_rst_stream(h->session->ng, NGHTTP2_FLAG_NONE, h->id, code);
  http2_kick(h->session);
}

size_t http2_stream_pending(const Http2Stream *h) {
  return h->out.len - h->out_at;
}

static size_t share(const Http2Session *s) {
  size_t part = s->config.session_out / (s->n_streams ? s->n_streams : 1);
  if (part > s->config.stream_out)
    part = s->config.stream_out;
  return part < HTTP2_MIN_SHARE ? HTTP2_MIN_SHARE : part;
}

bool http2_stream_is_full(Http2Stream *h) {
  if (http2_stream_pending(h) >= share(h->session))
    http2_stream_set_full(h, true);
  return h->full;
}

void http2_tell_drained(Http2Session *s) {
  if (s->n_full == 0)
    return;
  size_t low = share(s) / 2;
  LIST_EACH(Http2Stream, h, &s->streams, link) {
    if (!h->full || http2_stream_pending(h) > low)
      continue;
    http2_stream_set_full(h, false);
    /* what it writes at once leaves in the next turn, so that one peer's flood does not hold up the others */
    loop_timer_start(s->kick, 0);
    if (h->owned)
      h->handlers->on_drain(h->owner);
    if (s->dead)
      return;
  }
}

/* ---- What leaves ---- */

static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
                        nghttp2_data_source *source, void *arg) {
  Http2Session *s = arg;
  Http2Stream *h = source->ptr;
  /* no padding is ever asked for */
  if (buf_append(&s->gather, head, FRAME_HEAD) != 0)
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  /* the end alone may come of a stream that never had a byte */
  if (len > 0 && buf_append(&s->gather, h->out.data + h->out_at, len) != 0)
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  h->out_at += len;
  s->out -= len;
  s->bodies_sent += len;
  if (http2_stream_pending(h) == 0) {
    h->out.len = h->out_at = 0;
    if (h->out.cap > HTTP2_MIN_SHARE)
      buf_deinit(&h->out);
  }
  if (len >= DRIBBLE || (len > 0 && http2_stream_pending(h) == 0))
    http2_budget_earn(&s->budget);
  return 0;
}

/* What the peer provoked by breaking a rule costs it as much as a reset of its own: otherwise that would be the cheaper
 * way to make work and throw it away. */
static bool is_provoked(Http2Session *s, const nghttp2_frame *frame) {
  Http2Stream *h = http2_stream_of(s, frame->hd.stream_id);
  return frame->rst_stream.error_code != NGHTTP2_NO_ERROR && (!h || !h->left);
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg) {
  Http2Session *s = arg;
  if (frame->hd.type == NGHTTP2_RST_STREAM) {
    /* the end, if it was one too many, is said by the pump that runs */
    if (is_provoked(s, frame) && !s->deaf && !http2_spend(s, HTTP2_FLOOD_RESETS))
      return 0;
  }
  /* not before: nghttp2 sends a PING ahead of all that waits, and its answer would say nothing of the GOAWAY */
  if (frame->hd.type == NGHTTP2_GOAWAY && s->draining && !s->last_said)
    nghttp2_submit_ping(ng, NGHTTP2_FLAG_NONE, HTTP2_DRAIN_PING);
  bool answers = frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS;
  Http2Stream *h = answers ? http2_stream_of(s, frame->hd.stream_id) : NULL;
  if (!h)
    return 0;
  /* nghttp2 tells of a frame when it is asked for the next one, so the gather ends with this one */
  if (h->head_end == 0)
    h->head_end = stream_sent(s->stream) + stream_pending(s->stream) + s->gather.len;
  h->all_sent |= (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  /* RFC 9113, 8.1: the rest of the request is not wanted */
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !h->request_done && !s->client)
    nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_NO_ERROR);
  return 0;
}

/* Nothing else would ever end its stream. */
static int on_frame_not_send(nghttp2_session *ng, const nghttp2_frame *frame, int rc, void *arg) {
  Http2Session *s = arg;
  Http2Stream *h = frame->hd.type == NGHTTP2_HEADERS ? http2_stream_of(s, frame->hd.stream_id) : NULL;
  /* a request's nghttp2 closes itself */
  if (h && !h->left && !(s->client && h->head_end == 0))
    nghttp2_submit_rst_stream(ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_INTERNAL_ERROR);
  return 0;
}

void http2_send_callbacks(nghttp2_session_callbacks *c) {
  nghttp2_session_callbacks_set_send_data_callback(c, on_send_data);
  nghttp2_session_callbacks_set_on_frame_send_callback(c, on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(c, on_frame_not_send);
}
