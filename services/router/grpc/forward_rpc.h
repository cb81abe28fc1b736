/* Calls that another service answers: messages pass as bytes both ways, status and details come back
 * unchanged, the deadline and the client's leaving go along. */
#ifndef SANDPLANE_SERVICES_ROUTER_GRPC_FORWARD_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_GRPC_FORWARD_RPC_H_

#include "lib/rpc/rpc_server.h"

/* RpcMethod.start. The plain ones are RPC_STREAM; single: RPC_UNARY, whose answer leaves with its status. */
void forward_rpc_claims_single(RpcCall *call, void *router, const uint8_t *data, size_t len);
void forward_rpc_claims(RpcCall *call, void *router, const uint8_t *data, size_t len);
void forward_rpc_pools(RpcCall *call, void *router, const uint8_t *data, size_t len);
void forward_rpc_reconciler(RpcCall *call, void *router, const uint8_t *data, size_t len);

#endif
