/* ReconcilerService, for pools. */
#ifndef SANDPLANE_SERVICES_RECONCILER_RECONCILER_RPC_H_
#define SANDPLANE_SERVICES_RECONCILER_RECONCILER_RPC_H_

#include "lib/rpc/rpc_server.h"

void reconciler_rpc_check_template(RpcCall *call, void *service, const uint8_t *data, size_t len);
void reconciler_rpc_create_sandboxes(RpcCall *call, void *service, const uint8_t *data, size_t len);

#endif
