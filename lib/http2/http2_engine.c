/* See http2_engine.h. */
#include "lib/http2/http2_engine.h"

#include "lib/base/alloc.h"
#include "lib/http2/http2_recv.h"
#include "lib/http2/http2_send.h"

/* Of an answer's head or trailers, as nghttp2 guesses their packed size before it packs them, with 12 for each field:
 * its default of 64 KiB is less than what HTTP/1.1 allows comes to. */
enum { FIRST_UNKNOWN_TYPE = NGHTTP2_CONTINUATION + 1, MAX_SENT_HEAD = 256 << 10 };

static void *ng_malloc(size_t size, void *user) {
  return xmalloc(size);
}

static void ng_free(void *p, void *user) {
  free(p);
}

static void *ng_calloc(size_t n, size_t size, void *user) {
  return xcalloc(n, size);
}

static void *ng_realloc(void *p, size_t size, void *user) {
  return xrealloc(p, size);
}

nghttp2_session *http2_engine_new(Http2Session *s) {
  const Http2Config *c = &s->config;
  nghttp2_mem memory = {NULL, ng_malloc, ng_free, ng_calloc, ng_realloc};
  nghttp2_session_callbacks *callbacks = NULL;
  nghttp2_option *option = NULL;
  nghttp2_session *ng = NULL;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
    abort();
  http2_recv_callbacks(callbacks);
  http2_send_callbacks(callbacks);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_send_header_block_length(option, MAX_SENT_HEAD);
  nghttp2_option_set_max_deflate_dynamic_table_size(option, c->header_table);
  nghttp2_option_set_max_outbound_ack(option, c->max_unread_acks);
  nghttp2_option_set_max_settings(option, c->max_settings);
  nghttp2_option_set_max_continuations(option, c->max_continuations);
  /* ours counts those that the peer provokes as well, and says why it ends the session */
  nghttp2_option_set_stream_reset_rate_limit(option, UINT64_MAX, UINT64_MAX);
  /* those nobody knows: nghttp2 shows them then, and they can be counted */
  for (unsigned type = FIRST_UNKNOWN_TYPE; type <= UINT8_MAX; type++)
    nghttp2_option_set_user_recv_extension_type(option, (uint8_t)type);
  int rc = s->client ? nghttp2_session_client_new3(&ng, callbacks, s, option, &memory)
                     : nghttp2_session_server_new3(&ng, callbacks, s, option, &memory);
  if (rc != 0)
    abort();
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  return ng;
}
