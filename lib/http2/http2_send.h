/* Answers: what an owner says of a stream (http2_stream.h), kept until nghttp2 asks for it and the peer's windows
 * allow. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_SEND_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_SEND_H_

#include "lib/base/compiler.h"
#include "lib/http2/http2_state.h"

void http2_send_callbacks(nghttp2_session_callbacks *callbacks);
/* Owners of streams that were full. Runs handlers. */
void http2_tell_drained(Http2Session *session);
/* A client's; fields: with those that begin with a colon, first. -1: no more ids. */
int http2_send_request(Http2Stream *stream, const Http2Field *fields, size_t n_fields, bool ended) MUST_CHECK;
/* An answer of the session itself to a stream that has no owner. */
void http2_refuse(Http2Stream *stream, int status);

#endif
