/* ListSandboxes. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_LIST_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_LIST_RPC_H_

#include "lib/rpc/rpc_server.h"

void list_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
