/* The head, or the trailers, that are being read: what nghttp2 unpacks, kept by reference, and made into an
 * Http2Request. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_HEAD_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_HEAD_H_

#include <nghttp2/nghttp2.h>

#include "lib/base/buf.h"
#include "lib/http2/http2_config.h"
#include "lib/http2/http2_request.h"

typedef struct Http2Held {
  nghttp2_rcbuf *buf;
} Http2Held;

typedef struct Http2Head {
  int32_t id; /* of its stream; 0: none is being read */
  bool over;  /* more than may be: what came behind is dropped */
  size_t bytes;
  const char *method, *scheme, *authority, *path, *host, *status;
  Http2Field *fields;
  size_t n_fields, cap_fields;
  Http2Held *held; /* of the fields, two each, and of the pseudo fields */
  size_t n_held, cap_held;
  Buf cookie;
  ssize_t cookie_at; /* its place among fields; -1: none yet */
} Http2Head;

void http2_head_begin(Http2Head *head, int32_t id);
void http2_head_add(Http2Head *head, const Http2Config *config, nghttp2_rcbuf *name, nghttp2_rcbuf *value);
/* false: Host and :authority name different servers, so nobody can say whom it is for (RFC 9113, 8.3.1). */
bool http2_head_finish(Http2Head *head, Http2Request *ret_request) MUST_CHECK;
/* Drops what is held. */
void http2_head_clear(Http2Head *head);

#endif
