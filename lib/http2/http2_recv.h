/* What the peer sends, frame by frame, as nghttp2 tells it.
 *
 * nghttp2 checks the grammar of frames, the life of streams and most of what RFC 9113 wants of a request; here is what
 * it leaves to its caller: how much of everything, Host beside :authority, and fields with invalid values, which it
 * would drop silently.
 */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_RECV_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_RECV_H_

#include "lib/http2/http2_state.h"

void http2_recv_callbacks(nghttp2_session_callbacks *callbacks);

#endif
