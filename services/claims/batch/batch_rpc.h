/* BatchCreateSandboxes, BatchDeleteSandboxes. */
#ifndef SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_RPC_H_

#include "lib/rpc/rpc_server.h"

void batch_rpc_create(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void batch_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
