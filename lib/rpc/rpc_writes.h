/* What one side of a call has to send: messages in order, at most one of them on its way. Inside lib/rpc; on the loop's
 * thread. */
#ifndef SANDPLANE_LIB_RPC_RPC_WRITES_H_
#define SANDPLANE_LIB_RPC_RPC_WRITES_H_

#include <grpc/grpc.h>
#include <stddef.h>

#include "lib/rpc/rpc_call.h"

typedef struct RpcWrite {
  struct RpcWrite *next;
  grpc_byte_buffer *message;
  size_t len;
  void (*fn)(RpcCall *call, void *arg); /* a server's: when it has left; NULL: none */
  void *arg;
} RpcWrite;

typedef struct RpcWrites {
  RpcWrite *first, **last;
  RpcWrite *in_flight;
  size_t bytes; /* of all that have not left */
} RpcWrites;

void rpc_writes_init(RpcWrites *writes);
/* Takes the slice. The write is the queue's. */
RpcWrite *rpc_writes_add(RpcWrites *writes, grpc_slice message);
/* The first goes on its way, in this operation. Not with one on its way, nor without a first. */
grpc_op rpc_writes_start(RpcWrites *writes);
/* The one on its way is over: the caller's, for rpc_write_free. NULL: there was none. */
RpcWrite *rpc_writes_sent(RpcWrites *writes);
/* All that are not on their way. */
void rpc_writes_drop(RpcWrites *writes);
void rpc_write_free(RpcWrite *write); /* NULL-safe */

#endif
