/* nghttp2 as a session wants it. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_ENGINE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_ENGINE_H_

#include "lib/http2/http2_state.h"

nghttp2_session *http2_engine_new(Http2Session *session);

#endif
