/* CreateSandbox. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CREATE_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_CREATE_RPC_H_

#include "lib/rpc/rpc_server.h"

/* The label of sandplane_claims_total. */
const char *create_rpc_outcome(const Error *err);
void create_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
