/* The client's side of an HTTP/2 connection (RFC 9113) over a Stream: an Http2Session whose streams are requests of
 * ours.
 *
 * What http2_session.h says of servers holds here too: bytes of an answer are shown once, and the window opens as the
 * owner says that it has done with them; the server is held to the bounds of the Http2Config, for it may be a stranger
 * as well. Pushes are refused. http2_session_free, _end and _streams are a client's too, and so is http2_stream.h but
 * for what answers.
 *
 * The server leaves by a GOAWAY: no request is begun then, those that it names go on, the others end with
 * HTTP2_REFUSED_STREAM, and the session is over behind the last.
 */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_CLIENT_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_CLIENT_H_

#include "lib/http2/http2_client_handlers.h"
#include "lib/http2/http2_config.h"
#include "lib/http2/http2_session.h"

/* Owns stream from now on. config: copied. */
Http2Session *http2_client_new(Loop *loop, Stream *stream, const Http2Config *config,
                               const Http2ClientHandlers *handlers, void *arg);
/* The server has said its SETTINGS: it is one. */
bool http2_client_is_greeted(const Http2Session *session);
/* It has, does not leave, and allows one request more. */
bool http2_client_has_room(const Http2Session *session);
/* It takes no more requests, ever. */
bool http2_client_is_leaving(const Http2Session *session);
/* Only with room. request->ended: without a body; else http2_stream_write and http2_stream_finish follow. Fields of the
 * connection are the caller's to leave out. */
Http2Stream *http2_client_request(Http2Session *session, const Http2Request *request, void *owner);
/* All of the request has left, its end as well. */
bool http2_client_is_sent(const Http2Stream *stream);
/* In on_close: the connection has ended, not the stream. */
bool http2_client_lost(const Http2Stream *stream);

#endif
