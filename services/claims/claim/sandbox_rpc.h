/* GetSandbox, UpdateSandbox, DeleteSandbox. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_SANDBOX_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_SANDBOX_RPC_H_

#include "lib/rpc/rpc_server.h"

void sandbox_rpc_get(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void sandbox_rpc_update(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void sandbox_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
