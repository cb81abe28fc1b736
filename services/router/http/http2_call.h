/* One request of an HTTP/2 connection, and its answer: by the router itself, or by a sandbox through an exchange. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_CALL_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_CALL_H_

#include "lib/base/list.h"
#include "lib/http2/http2_session.h"
#include "services/router/http/forward.h"
#include "services/router/router.h"

typedef struct Http2Call Http2Call;

/* Answers at once, or begins an exchange. calls: the list that it is in while it lives. */
void http2_call_new(Router *router, Http2Stream *stream, const Http2Request *request, const ForwardPeer *peer,
                    List *calls);
/* The connection is gone. */
void http2_calls_free(List *calls);

/* Handlers of the session, for a stream's owner. */
void http2_call_body(void *call, const uint8_t *data, size_t len);
void http2_call_end(void *call, const Http2Field *trailers, size_t n_trailers);
void http2_call_drain(void *call);
void http2_call_close(void *call, uint32_t code);

#endif
