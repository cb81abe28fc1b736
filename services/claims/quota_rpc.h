/* QuotaService: the limits of tenants. Who may call it is the router's business. */
#ifndef SANDPLANE_SERVICES_CLAIMS_QUOTA_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_QUOTA_RPC_H_

#include "lib/rpc/rpc_server.h"

void quota_rpc_apply(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void quota_rpc_get(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void quota_rpc_list(RpcCall *call, void *claims, const uint8_t *data, size_t len);
void quota_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
