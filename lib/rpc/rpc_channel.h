/* The channel as its calls see it (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_CHANNEL_H_
#define SANDPLANE_LIB_RPC_RPC_CHANNEL_H_

#include <grpc/grpc.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_queue.h"

struct RpcChannel {
  RpcQueue *queue;
  grpc_channel *channel;
  RpcClientCall *calls; /* those whose last callback has not run */
  int64_t knocked_ms;   /* monotonic; 0: never */
};

/* A call failed for want of a connection: the next attempt is due, whatever the C core makes of the time. */
void rpc_channel_knock(RpcChannel *channel);

/* Runs on_done with CANCELLED now; the call's batches end without callbacks. Takes it off the list. */
void rpc_client_abandon(RpcClientCall *call);
/* rpc_client_write with a message that is moved in. */
void rpc_client_write_slice(RpcClientCall *call, grpc_slice message);

#endif
