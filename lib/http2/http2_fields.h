/* Fields to be sent, as nghttp2 wants them: names in small letters, with what they point to. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_FIELDS_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_FIELDS_H_

#include <nghttp2/nghttp2.h>

#include "lib/base/compiler.h"
#include "lib/http2/http2_request.h"

typedef struct Http2Fields {
  nghttp2_nv *nv;
  size_t n;
  char *text;
  size_t bytes; /* of the text */
} Http2Fields;

/* status: 0 for trailers. */
Http2Fields http2_fields_new(int status, const Http2Field *fields, size_t n_fields);
void http2_fields_clear(Http2Fields *fields);

#endif
