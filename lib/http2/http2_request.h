/* What an HTTP/2 request says before its body. Values, without a connection. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_REQUEST_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_REQUEST_H_

#include <stdbool.h>
#include <stddef.h>

typedef struct Http2Field {
  const char *name; /* in small letters as it arrives; in any to be sent */
  const char *value;
} Http2Field;

/* Valid during the handler. NULL: there is none, which is so of scheme and path for CONNECT alone. */
typedef struct Http2Request {
  const char *method;
  const char *scheme;
  /* :authority or else the Host field, which is not among the fields. */
  const char *authority;
  const char *path; /* raw, with the query; or "*" */
  /* Those of the same name in their order; Cookie, which clients cut up, is joined (RFC 9113, 8.2.3). */
  const Http2Field *fields;
  size_t n_fields;
  bool ended; /* no body follows */
} Http2Request;

#endif
