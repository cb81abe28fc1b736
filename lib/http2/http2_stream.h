/* What an owner says of one stream: its answer, and what it took of the body. None of it calls a handler from inside.
 * On the loop's thread. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_STREAM_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_STREAM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/http2/http2_handlers.h"

void http2_stream_set_owner(Http2Stream *stream, void *owner);
/* To an owner of another kind: what concerns this stream alone is told by these handlers from now on. They outlive it.
 */
void http2_stream_give(Http2Stream *stream, const Http2Handlers *handlers, void *owner);
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
