/* CreateSandbox. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_CREATE_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_CREATE_RPC_H_

#include "lib/rpc/rpc_request.h"
#include "lib/rpc/rpc_server.h"
#include "lib/state/state.h"

/* The label of sandplane_claims_total. */
const char *create_rpc_outcome(const Error *err);
/* Ends a call to which nothing was given, with what the pool says of why it is not full. pool: empty, none was asked.
 */
void create_rpc_fail(RpcRequest *request, State *state, const char *ns, const char *pool, const Error *err);
void create_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
