/* Between the API's messages and the structs of the domain and the state: the only place that knows both. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_MESSAGE_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_MESSAGE_RPC_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "lib/base/arena.h"
#include "lib/state/state.h"
#include "services/claims/claim/claim.h"

/* Everything made here lives in the arena; strings of a record are copied. */
Sandplane__V1__Sandbox *message_sandbox(Arena *arena, const SandboxRecord *record, const char *router_url);
/* What is left of a sandbox that is gone: name, uid and pool. */
Sandplane__V1__Sandbox *message_gone(Arena *arena, const char *ns, const char *pool, const char *id, const char *uid);

/* The strings stay the request's. */
ClaimInput message_claim_input(Arena *arena, const Sandplane__V1__CreateSandboxRequest *request);
/* The part of a batch that is as for one. */
ClaimInput message_batch_input(Arena *arena, const Sandplane__V1__BatchCreateSandboxesRequest *request);
ClaimUpdateInput message_update_input(Arena *arena, const Sandplane__V1__UpdateSandboxRequest *request);

#endif
