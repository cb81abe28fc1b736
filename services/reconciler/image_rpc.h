/* ImageService. */
#ifndef SANDPLANE_SERVICES_RECONCILER_IMAGE_RPC_H_
#define SANDPLANE_SERVICES_RECONCILER_IMAGE_RPC_H_

#include "lib/rpc/rpc_server.h"

void image_rpc_import(RpcCall *call, void *service, const uint8_t *data, size_t len);
void image_rpc_list(RpcCall *call, void *service, const uint8_t *data, size_t len);

#endif
