/* Between the API's messages and the records of the state: the only place that knows both. */
#ifndef SANDPLANE_SERVICES_POOLS_MESSAGE_RPC_H_
#define SANDPLANE_SERVICES_POOLS_MESSAGE_RPC_H_

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "lib/base/arena.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state.h"

/* Everything made here lives in the arena; strings of a record are copied. */
Sandplane__V1__Template *message_template(Arena *arena, const TemplateRecord *record);
Sandplane__V1__Pool *message_pool(Arena *arena, const PoolRecord *record);

/* Whether templates and pools may be changed here (--read-only); else the call is answered. */
bool message_may_change(RpcRequest *request) MUST_CHECK;

#endif
