/* What the owner of a client's session is told: of answers to its requests, and of the connection. See http2_client.h.
 */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_CLIENT_HANDLERS_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_CLIENT_HANDLERS_H_

#include "lib/http2/http2_handlers.h"

/* Valid during the handler. */
typedef struct Http2Response {
  int status; /* 200 or more */
  const Http2Field *fields;
  size_t n_fields;
  bool ended; /* neither a body nor trailers follow */
} Http2Response;

/* arg: the session's. owner: the request's. */
typedef struct Http2ClientHandlers {
  /* The final head; those of 100 to 199 are dropped. */
  void (*on_response)(void *owner, const Http2Response *response);
  /* Of the answer's body; http2_stream_took tells when it is done with. */
  void (*on_body)(void *owner, const uint8_t *data, size_t len);
  /* The answer is complete, unless its head has said so. Fields behind its body, valid during the handler. */
  void (*on_end)(void *owner, const Http2Field *trailers, size_t n_trailers);
  /* A stream that was full is no longer. */
  void (*on_drain)(void *owner);
  /* The stream is gone, and this the last that is told of it; the pointer to it is good until this returns. code:
   * HTTP2_NO_ERROR when both sides ended in order; HTTP2_REFUSED_STREAM: the server has surely done nothing of it, and
   * it may be sent again; else the server's code (HTTP2_INTERNAL_ERROR for one of NO_ERROR before the end), or
   * HTTP2_CANCEL when the connection ended (http2_client_lost). Not after http2_stream_reset. */
  void (*on_close)(void *owner, uint32_t code);
  /* What http2_client_has_room or http2_client_is_leaving says may have changed. */
  void (*on_change)(void *arg);
  /* The session is over, after on_close of all streams; it waits to be freed. */
  void (*on_over)(void *arg, Http2Why why);
} Http2ClientHandlers;

#endif
