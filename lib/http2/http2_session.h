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

#include <stddef.h>
#include <stdint.h>

#include "lib/http2/http2_config.h"
#include "lib/http2/http2_handlers.h"
#include "lib/http2/http2_stream.h"
#include "lib/loop/stream.h"

/* What a client with prior knowledge sends first (RFC 9113, 3.4). */
#define HTTP2_PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { HTTP2_PREFACE_LEN = sizeof HTTP2_PREFACE - 1 };

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

#endif
