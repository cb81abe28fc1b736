/* The server's side of an HTTP/2 connection (RFC 9113) over a Stream, by nghttp2, whose types do not appear here.
 *
 * The session speaks the protocol, checks what RFC 9113 8.1 to 8.3 demand of a request, and holds the peer to the
 * bounds of its Http2Config. It holds no body of a request: bytes are shown once, and the window opens as the owner
 * says that it has done with them. Of an answer it holds what the peer does not take yet; the owner asks whether a
 * stream is full.
 *
 * Handlers may call everything here, also http2_session_free. Functions never call handlers from inside. On the loop's
 * thread.
 */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_SESSION_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_SESSION_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http2/http2_config.h"
#include "lib/http2/http2_request.h"
#include "lib/loop/stream.h"

/* What a client with prior knowledge sends first (RFC 9113, 3.4). */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { HTTP2_PREFACE_LEN = sizeof HTTP2_PREFACE - 1 };

/* Codes of RST_STREAM and GOAWAY that owners use (RFC 9113, 7). */
enum {
  HTTP2_NO_ERROR = 0,
  HTTP2_INTERNAL_ERROR = 2,
  HTTP2_REFUSED_STREAM = 7, /* nothing of it was done: it may be sent again */
  HTTP2_CANCEL = 8,
  HTTP2_ENHANCE_YOUR_CALM = 11,
};

typedef struct Http2Session Http2Session;
/* A request and its answer. */
typedef struct Http2Stream Http2Stream;

/* Why a session ended, and by which bound something was refused. */
typedef enum Http2Why {
  HTTP2_WHY_CLOSED,   /* by the peer, or the connection broke */
  HTTP2_WHY_DRAINED,  /* http2_session_drain, and everything is answered */
  HTTP2_WHY_ENDED,    /* http2_session_end */
  HTTP2_WHY_PROTOCOL, /* what the peer sent is not HTTP/2 */
  HTTP2_WHY_IDLE,
  HTTP2_WHY_HEAD_TIME,
  HTTP2_WHY_STALLED,
  HTTP2_WHY_UNREAD_ACKS,
  HTTP2_WHY_CONTINUATIONS,
  HTTP2_WHY_RESETS, /* from here on in the order of Http2Flood */
  HTTP2_WHY_SETTINGS,
  HTTP2_WHY_PINGS,
  HTTP2_WHY_PRIORITIES,
  HTTP2_WHY_WINDOW_UPDATES,
  HTTP2_WHY_EMPTY,
  HTTP2_WHY_HEAD_BYTES, /* from here on of one stream: 431 */
  HTTP2_WHY_STREAMS,
  HTTP2_WHY_KEPT,
  HTTP2_N_WHYS,
} Http2Why;

/* A label: "resets" and so on. */
const char *http2_why_name(Http2Why why);

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

/* Owns stream from now on, also what it kept and nobody used. config: copied. */
Http2Session *http2_session_new(Loop *loop, Stream *stream, const Http2Config *config, const Http2Handlers *handlers,
                                void *arg);
/* Closes the connection; no further handler. NULL-safe. */
void http2_session_free(Http2Session *session);
/* Ends it so that no request is lost (RFC 9113, 6.8): a first GOAWAY that promises nothing, a second one a round trip
 * later that names the last request that is answered; then the end, when all are. */
void http2_session_drain(Http2Session *session);
/* Ends it now, with a GOAWAY of this code; streams are closed. on_over follows. */
void http2_session_end(Http2Session *session, uint32_t code);
/* Streams under way. */
size_t http2_session_streams(const Http2Session *session);
/* Of heads and of answers, as Http2Config's max_kept counts. */
size_t http2_session_kept(const Http2Session *session);

void http2_stream_set_owner(Http2Stream *stream, void *owner);
int32_t http2_stream_id(const Http2Stream *stream);
/* len bytes of the body have gone where they should: the peer may send as many. */
void http2_stream_took(Http2Stream *stream, size_t len);
/* A head of 100 to 199 but 101, before http2_stream_respond. */
void http2_stream_interim(Http2Stream *stream, int status, const Http2Field *fields, size_t n_fields);
/* Once. ended: no body follows. Fields of the connection (RFC 9113, 8.2.2) are the caller's to leave out. */
void http2_stream_respond(Http2Stream *stream, int status, const Http2Field *fields, size_t n_fields, bool ended);
/* Behind the head, unless that ended the answer. */
void http2_stream_write(Http2Stream *stream, const void *data, size_t len);
/* Of the answer; n_trailers may be 0. What the peer still sends of its request is then refused. */
void http2_stream_finish(Http2Stream *stream, const Http2Field *trailers, size_t n_trailers);
/* Ends it either way, and what waits of the answer is dropped. The stream is the owner's no more. */
void http2_stream_reset(Http2Stream *stream, uint32_t code);
/* Of the answer, not taken by the socket yet. */
size_t http2_stream_pending(const Http2Stream *stream);
/* More should not be written before on_drain. */
bool http2_stream_is_full(Http2Stream *stream);

#endif
