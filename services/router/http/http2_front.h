/* A client's connection that speaks HTTP/2: with prior knowledge without TLS, by ALPN with it. Each of its streams is a
 * request as one of HTTP/1.1 is: the same authorization, routes, answers in words, access log, metrics and traces
 * (http2_call.h).
 *
 * Upgrades are HTTP/1.1's alone. On the loop's thread.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_FRONT_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP2_FRONT_H_

#include "lib/loop/stream.h"
#include "services/router/http/forward.h"
#include "services/router/router.h"

typedef struct Http2Front Http2Front;

/* Owns stream, whose first bytes nobody used; peer is kept by reference. over runs once, when the connection is of no
 * more use; the front is then to be freed. Never from inside. */
Http2Front *http2_front_new(Router *router, Stream *stream, const ForwardPeer *peer, void (*over)(void *arg),
                            void *arg);
/* Requests under way are cut. NULL-safe. */
void http2_front_free(Http2Front *front);
/* In order: what is under way, and on its way, is answered. */
void http2_front_drain(Http2Front *front);

#endif
