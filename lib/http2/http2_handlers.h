/* What the owner of a session is told: of requests, of their streams, and of the end. See http2_session.h. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_HANDLERS_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_HANDLERS_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/http2/http2_request.h"
#include "lib/http2/http2_why.h"

typedef struct Http2Session Http2Session;
/* A request and its answer. */
typedef struct Http2Stream Http2Stream;

/* arg: the session's. owner: what http2_stream_set_owner gave, or NULL. */
typedef struct Http2Handlers {
  void (*on_request)(void *arg, Http2Stream *stream, const Http2Request *request);
  /* Of a request's body; http2_stream_took tells when it is done with. */
  void (*on_body)(void *owner, const uint8_t *data, size_t len);
  /* The request is complete. Fields behind its body, valid during the handler. */
  void (*on_end)(void *owner, const Http2Field *trailers, size_t n_trailers);
  /* A stream that was full is no longer. */
  void (*on_drain)(void *owner);
  /* The stream is gone, and this the last that is told of it. code: HTTP2_NO_ERROR when it was answered to the end. Not
   * after http2_stream_reset. */
  void (*on_close)(void *owner, uint32_t code);
  /* One stream was refused, by the session itself. Optional. */
  void (*on_refused)(void *arg, Http2Why why);
  /* The session is over, after on_close of all streams; it waits to be freed. */
  void (*on_over)(void *arg, Http2Why why);
} Http2Handlers;

#endif
