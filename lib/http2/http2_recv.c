/* See http2_recv.h. */
#include "lib/http2/http2_recv.h"

#include <string.h>

#include "lib/http2/http2_clock.h"
#include "lib/http2/http2_end.h"
#include "lib/http2/http2_response.h"
#include "lib/http2/http2_send.h"

static int stop(Http2Session *s) {
  return s->dead || s->deaf ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

/* What is counted of a frame before anything is done for it. HTTP2_N_FLOODS: nothing. */
static Http2Flood flood_of(const nghttp2_frame_hd *hd) {
  switch (hd->type) {
  case NGHTTP2_DATA:
    return hd->length == 0 && !(hd->flags & NGHTTP2_FLAG_END_STREAM) ? HTTP2_FLOOD_EMPTY : HTTP2_N_FLOODS;
  case NGHTTP2_HEADERS:
  case NGHTTP2_CONTINUATION:
    return HTTP2_N_FLOODS;
  case NGHTTP2_RST_STREAM:
    return HTTP2_FLOOD_RESETS;
  case NGHTTP2_SETTINGS:
    return HTTP2_FLOOD_SETTINGS;
  case NGHTTP2_PING:
    return HTTP2_FLOOD_PINGS;
  case NGHTTP2_PRIORITY:
    return HTTP2_FLOOD_PRIORITIES;
  case NGHTTP2_WINDOW_UPDATE:
    return HTTP2_FLOOD_WINDOW_UPDATES;
  default:
    return HTTP2_FLOOD_EMPTY;
  }
}

/* A peer may leave numbers of streams out, and then never use them (RFC 9113, 5.1.1). nghttp2 takes such a one for a
 * stream that was closed long ago, whose late frames it ignores. */
static bool is_of_skipped_stream(Http2Session *s, int32_t id) {
  if (id <= s->last_id)
    return id > s->skipped_from && id < s->skipped_to;
  if (id > s->last_id + 2) {
    s->skipped_from = s->last_id;
    s->skipped_to = id;
  }
  s->last_id = id;
  return false;
}

static int on_begin_frame(nghttp2_session *ng, const nghttp2_frame_hd *hd, void *arg) {
  Http2Session *s = arg;
  Http2Flood flood = flood_of(hd);
  bool wrong = s->client ? hd->type == NGHTTP2_PUSH_PROMISE
                         : hd->type == NGHTTP2_HEADERS && is_of_skipped_stream(s, hd->stream_id);
  if (wrong)
    http2_give_up(s, HTTP2_WHY_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
  if (flood != HTTP2_N_FLOODS && !http2_spend(s, flood))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  return stop(s);
}

/* Frames of unknown types are ignored (RFC 9113, 5.5), once they are counted. */
static int on_unknown_frame(nghttp2_session *ng, void **ret_payload, const nghttp2_frame_hd *hd, void *arg) {
  return NGHTTP2_ERR_CANCEL;
}

/* ---- Heads ---- */

static void tell_refused(Http2Session *s, Http2Why why) {
  if (s->handlers.on_refused)
    s->handlers.on_refused(s->arg, why);
}

static int refuse_stream(Http2Session *s, int32_t id, Http2Why why) {
  nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
  tell_refused(s, why);
  return s->dead ? NGHTTP2_ERR_CALLBACK_FAILURE : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *arg) {
  Http2Session *s = arg;
  if (stop(s))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (frame->hd.type != NGHTTP2_HEADERS)
    return 0;
  int32_t id = frame->hd.stream_id;
  if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
    if (http2_kept(s) > s->config.max_kept)
      return refuse_stream(s, id, HTTP2_WHY_KEPT);
    /* came in between the last GOAWAY and its leaving */
    if (s->last_said)
      return refuse_stream(s, id, HTTP2_WHY_DRAINED);
    http2_stream_new(s, id);
  }
  http2_head_begin(&s->head, id);
  http2_set_life(s);
  return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                     uint8_t flags, void *arg) {
  Http2Session *s = arg;
  if (s->head.id == frame->hd.stream_id)
    http2_head_add(&s->head, &s->config, name, value);
  return stop(s);
}

/* Makes the request malformed, instead of one without the field. */
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name, size_t name_len,
                             const uint8_t *value, size_t value_len, uint8_t flags, void *arg) {
  return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

static void take_request(Http2Session *s, Http2Stream *h, bool ended) {
  Http2Request request;
  h->heads = s->head.bytes;
  s->heads += h->heads;
  h->request_done = ended;
  http2_budget_earn(&s->budget);
  if (s->head.over) {
    http2_refuse(h, 431);
    tell_refused(s, HTTP2_WHY_HEAD_BYTES);
  } else if (!http2_head_finish(&s->head, &request)) {
    nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, h->id, NGHTTP2_PROTOCOL_ERROR);
  } else {
    request.ended = ended;
    h->owned = true;
    s->handlers.on_request(s->arg, h, &request);
  }
}

static void take_end(Http2Session *s, Http2Stream *h) {
  Http2Request trailers = {0};
  if (h->request_done)
    return;
  h->request_done = true;
  if (!h->owned)
    return;
  if (s->head.id == h->id && (s->head.over || !http2_head_finish(&s->head, &trailers)))
    trailers = (Http2Request){0};
  h->handlers->on_end(h->owner, trailers.fields, trailers.n_fields);
}

static void take_headers(Http2Session *s, const nghttp2_frame *frame) {
  Http2Stream *h = http2_stream_of(s, frame->hd.stream_id);
  bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  if (h && s->client && !h->answered)
    http2_take_response(h, ended);
  else if (h && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
    take_request(s, h, ended);
  else if (h && ended)
    take_end(s, h);
  if (s->dead)
    return;
  http2_head_clear(&s->head);
  http2_set_life(s);
}

/* ---- Bodies ---- */

static void took_nothing(Http2Session *s, int32_t id, size_t len) {
  if (nghttp2_session_consume(s->ng, id, len) != 0)
    nghttp2_session_consume_connection(s->ng, len);
}

static int on_data_chunk(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg) {
  Http2Session *s = arg;
  if (stop(s))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  Http2Stream *h = http2_stream_of(s, id);
  if (!h || !h->owned) {
    took_nothing(s, id, len);
    return 0;
  }
  h->untaken += len;
  h->handlers->on_body(h->owner, data, len);
  return stop(s);
}

static void take_data(Http2Session *s, const nghttp2_frame *frame) {
  Http2Stream *h = http2_stream_of(s, frame->hd.stream_id);
  bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
  /* nothing but padding */
  if (!ended && frame->hd.length > 0 && frame->hd.length <= frame->data.padlen && !http2_spend(s, HTTP2_FLOOD_EMPTY))
    return;
  if (h && ended)
    take_end(s, h);
}

/* ---- Sessions ---- */

static void tell_change(Http2Session *s) {
  if (s->client && !s->dead)
    s->on_change(s->arg);
}

static void take_settings(Http2Session *s) {
  s->settled = true;
  if (s->client)
    http2_set_life(s);
  tell_change(s);
}

static void take_goaway(Http2Session *s) {
  s->peer_leaves = true;
  tell_change(s);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg) {
  Http2Session *s = arg;
  if (stop(s))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (frame->hd.type == NGHTTP2_HEADERS)
    take_headers(s, frame);
  else if (frame->hd.type == NGHTTP2_DATA)
    take_data(s, frame);
  else if (frame->hd.type == NGHTTP2_SETTINGS)
    take_settings(s);
  else if (frame->hd.type == NGHTTP2_GOAWAY)
    take_goaway(s);
  else if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) &&
           memcmp(frame->ping.opaque_data, HTTP2_DRAIN_PING, sizeof HTTP2_DRAIN_PING) == 0)
    http2_say_last(s);
  return stop(s);
}

static int on_invalid_frame(nghttp2_session *ng, const nghttp2_frame *frame, int error, void *arg) {
  Http2Session *s = arg;
  if (stop(s))
    return NGHTTP2_ERR_CALLBACK_FAILURE;
  if (frame->hd.type == NGHTTP2_HEADERS) {
    http2_head_clear(&s->head);
    http2_set_life(s);
    if (error == NGHTTP2_ERR_REFUSED_STREAM)
      tell_refused(s, HTTP2_WHY_STREAMS);
  }
  return stop(s);
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg) {
  Http2Session *s = arg;
  Http2Stream *h = http2_stream_of(s, id);
  if (s->dead || !h)
    return 0;
  if (h->untaken > 0)
    nghttp2_session_consume_connection(s->ng, h->untaken);
  if (s->head.id == id)
    http2_head_clear(&s->head);
  nghttp2_session_set_stream_user_data(ng, id, NULL);
  http2_tell_close(h, code);
  if (s->dead)
    return 0;
  http2_stream_free(h);
  tell_change(s);
  return 0;
}

void http2_recv_callbacks(nghttp2_session_callbacks *c) {
  nghttp2_session_callbacks_set_on_begin_frame_callback(c, on_begin_frame);
  nghttp2_session_callbacks_set_unpack_extension_callback(c, on_unknown_frame);
  nghttp2_session_callbacks_set_on_begin_headers_callback(c, on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback2(c, on_header);
  nghttp2_session_callbacks_set_on_invalid_header_callback(c, on_invalid_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(c, on_data_chunk);
  nghttp2_session_callbacks_set_on_frame_recv_callback(c, on_frame_recv);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(c, on_invalid_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(c, on_stream_close);
}
