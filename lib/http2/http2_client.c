/* See http2_client.h. */
#include "lib/http2/http2_client.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/http2/http2_send.h"

bool http2_client_is_greeted(const Http2Session *s) {
  return s->settled;
}

bool http2_client_is_leaving(const Http2Session *s) {
  return s->peer_leaves || s->deaf || !nghttp2_session_check_request_allowed(s->ng);
}

bool http2_client_has_room(const Http2Session *s) {
  uint32_t most = nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  if (most > s->config.max_streams)
    most = s->config.max_streams;
  return s->settled && !http2_client_is_leaving(s) && s->n_streams < most;
}

Http2Stream *http2_client_request(Http2Session *s, const Http2Request *request, void *owner) {
  size_t n = 0;
  Http2Field *fields = xcalloc(request->n_fields + 4, sizeof *fields);
  fields[n++] = (Http2Field){":method", request->method};
  fields[n++] = (Http2Field){":scheme", request->scheme};
  fields[n++] = (Http2Field){":authority", request->authority};
  fields[n++] = (Http2Field){":path", request->path};
  if (request->n_fields > 0)
    memcpy(fields + n, request->fields, request->n_fields * sizeof *fields);
  Http2Stream *h = http2_stream_new(s, 0);
  /* there is room, and nothing else makes nghttp2 refuse */
  if (http2_send_request(h, fields, n + request->n_fields, request->ended) != 0)
    abort();
  free(fields);
  h->owner = owner;
  h->owned = true;
  return h;
}

bool http2_client_is_sent(const Http2Stream *h) {
  return h->all_sent;
}

bool http2_client_lost(const Http2Stream *h) {
  return h->session->deaf;
}
