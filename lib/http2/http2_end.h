/* How a session and its streams end: why, who is told, and the last words that are left to say. What is to be sent of
 * it is with nghttp2 then, and leaves as http2_session.c next sends. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_END_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_END_H_

#include "lib/http2/http2_state.h"

extern const uint8_t HTTP2_DRAIN_PING[8];

/* The first one counts. */
void http2_set_why(Http2Session *session, Http2Why why);
/* The end, for this reason unless there is one already, with a GOAWAY of this code. From anywhere. */
void http2_give_up(Http2Session *session, Http2Why why, uint32_t code);
/* The answer to the PING behind the first GOAWAY, or nobody waits for it any more. */
void http2_say_last(Http2Session *session);

/* These run handlers. */

/* Unless its owner left it, or was told. */
void http2_tell_close(Http2Stream *stream, uint32_t code);
/* Streams that are still there will not get further. */
void http2_close_streams(Http2Session *session);
/* Once. */
void http2_tell_over(Http2Session *session);
/* The connection is of no more use: the end at once. */
void http2_cut(Http2Session *session, Http2Why why);

#endif
