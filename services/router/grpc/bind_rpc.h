/* RouterService.BindSandbox: the reconciler has a sandbox bound to its claim before it tells the claim's owner. */
#ifndef SANDPLANE_SERVICES_ROUTER_GRPC_BIND_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_GRPC_BIND_RPC_H_

#include "lib/rpc/rpc_server.h"

void bind_rpc_sandbox(RpcCall *call, void *router, const uint8_t *data, size_t len);

#endif
