/* What ends a session by time alone, and what its peer may do again as time passes. All of it by the loop's timers,
 * whose time tests let pass themselves. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_CLOCK_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_CLOCK_H_

#include "lib/base/compiler.h"
#include "lib/http2/http2_state.h"

/* Each with the session, when that time is up: both have more to send, which is not for the clock to do. */
void http2_clock_start(Http2Session *session, void (*on_life)(void *arg), void (*on_farewell)(void *arg));
void http2_clock_stop(Http2Session *session);
/* Something may wait for the socket or for a window, or does so no more. */
void http2_watch_stall(Http2Session *session);
/* What the life timer waits for has changed. */
void http2_set_life(Http2Session *session);
/* false: the frame is one too many, and the session ends. */
bool http2_spend(Http2Session *session, Http2Flood flood) MUST_CHECK;

#endif
