/* Requests of an HTTP/2 session (lib/http2) that are gRPC's: between its streams and rpc_http.h. */
#ifndef SANDPLANE_LIB_RPC_RPC_HTTP2_H_
#define SANDPLANE_LIB_RPC_RPC_HTTP2_H_

#include "lib/base/list.h"
#include "lib/http2/http2_session.h"
#include "lib/rpc/rpc_http.h"

/* What a connection of gRPC's clients may cost. They put all their calls on one, so it has more streams than a
 * browser's, and what they hold is bounded together. */
extern const Http2Config RPC_HTTP2_CONFIG;

/* If the request is gRPC's the stream is, from then on. calls: the list of such of its session, zero or more. */
bool rpc_http2_take(RpcHttp *http, Http2Stream *stream, const Http2Request *request, const char *peer, List *calls);
/* The session is about to be freed, and tells nobody. */
void rpc_http2_close(List *calls);

#endif
