/* Calls that the C core carries (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_CORE_CALL_H_
#define SANDPLANE_LIB_RPC_RPC_CORE_CALL_H_

#include <grpc/grpc.h>

#include "lib/rpc/rpc_call.h"
#include "lib/rpc/rpc_queue.h"

typedef struct RpcCoreOwner {
  RpcCallOwner calls;
  RpcQueue *queue;
  /* The C core has filled in an empty call; ok: false when the server shut down instead. arg: of calls. */
  void (*on_accept)(void *arg, RpcCall *call, struct Route *route, bool ok);
} RpcCoreOwner;

/* An empty call, asked for at the C core: a registered method's, or with handle NULL any other. */
void rpc_core_call_request(const RpcCoreOwner *owner, grpc_server *server, void *handle, struct Route *route);
/* Whether a unary call came with its message. */
bool rpc_core_call_has_request(const RpcCall *call);
/* on_accept does one of the two; a unary method needs a request. */
void rpc_core_call_run(RpcCall *call, const RpcMethod *method, void *service);
void rpc_core_call_discard(RpcCall *call);

#endif
