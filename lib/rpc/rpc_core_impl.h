/* The inside of a call of the C core, shared by rpc_core_call.c (its life, what it receives) and rpc_core_send.c (what
 * it sends). */
#ifndef SANDPLANE_LIB_RPC_RPC_CORE_IMPL_H_
#define SANDPLANE_LIB_RPC_RPC_CORE_IMPL_H_

#include "lib/base/arena.h"
#include "lib/rpc/rpc_call_impl.h"
#include "lib/rpc/rpc_core_call.h"
#include "lib/rpc/rpc_writes.h"

typedef struct RpcCoreCall {
  RpcCall call;
  const RpcCoreOwner *owner;
  grpc_call *core;
  gpr_timespec deadline;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  bool registered;
  char *path_copy;
  char *peer;
  Arena *strings;

  RpcOp accept_op, close_op, read_op, send_op;
  grpc_slice request;
  grpc_byte_buffer *read_buffer;

  RpcWrites writes;
  bool sending;
  bool initial_sent;
  bool status_sent;
  bool broken; /* a batch failed: nothing more can leave */

  bool close_watched;
  int cancelled; /* of the C core: set when close_op has run */
} RpcCoreCall;

static inline RpcCoreCall *rpc_core_of(RpcCall *call) {
  return CONTAINER_OF(call, RpcCoreCall, call);
}

/* The operation that watches for the call's end, to be started once. */
grpc_op rpc_core_close_watch(RpcCoreCall *c);

void rpc_core_write(RpcCall *call, grpc_slice message, bool last, RpcWrittenFn fn, void *arg);
void rpc_core_finish(RpcCall *call);
size_t rpc_core_pending(const RpcCall *call);

#endif
