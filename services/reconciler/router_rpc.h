/* What the reconciler asks of the router: the runtime of a sandbox bound to the claim that holds it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_ROUTER_RPC_H_
#define SANDPLANE_SERVICES_RECONCILER_ROUTER_RPC_H_

#include "lib/rpc/rpc_client.h"

/* uid "": only asks whether a runtime of ours answers there. err NULL: it is bound, or answers. */
void router_rpc_bind(RpcChannel *router, const char *ns, const char *id, const char *uid,
                     void (*fn)(void *arg, const Error *err), void *arg);

#endif
