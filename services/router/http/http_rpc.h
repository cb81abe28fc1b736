/* A request of HTTP/1.1 that is a call of the router's own gRPC, which is gRPC-Web: without trailers there is no other.
 * Part of HttpConn, see http_conn_state.h. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_RPC_H_

#include "services/router/http/http_conn_state.h"

/* Whether it is one. Then it is taken, and may be answered already. */
bool http_rpc_take(HttpConn *c, const HttpHead *head);
void http_rpc_body(HttpConn *c, const uint8_t *data, size_t len);
/* The timer, while there is a call: its answer is over, or its client takes nothing. May free c. */
void http_rpc_time(HttpConn *c);

#endif
