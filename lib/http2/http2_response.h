/* The head of an answer to a client, which http2_recv.c has read. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_RESPONSE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_RESPONSE_H_

#include "lib/http2/http2_state.h"

/* The session's head is one of this stream, not behind a final one. Runs handlers. */
void http2_take_response(Http2Stream *stream, bool ended);

#endif
