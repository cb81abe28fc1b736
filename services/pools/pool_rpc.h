/* PoolService. */
#ifndef SANDPLANE_SERVICES_POOLS_POOL_RPC_H_
#define SANDPLANE_SERVICES_POOLS_POOL_RPC_H_

#include "lib/rpc/rpc_server.h"

void pool_rpc_apply(RpcCall *call, void *pools, const uint8_t *data, size_t len);
void pool_rpc_get(RpcCall *call, void *pools, const uint8_t *data, size_t len);
void pool_rpc_list(RpcCall *call, void *pools, const uint8_t *data, size_t len);
void pool_rpc_delete(RpcCall *call, void *pools, const uint8_t *data, size_t len);
void pool_rpc_scale(RpcCall *call, void *pools, const uint8_t *data, size_t len);

#endif
