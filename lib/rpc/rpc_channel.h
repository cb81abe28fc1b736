/* The channel as its calls see it (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_CHANNEL_H_
#define SANDPLANE_LIB_RPC_RPC_CHANNEL_H_

#include <grpc/grpc.h>

#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_queue.h"

/* A call on its channel's list; part of the call. */
typedef struct RpcChannelCall RpcChannelCall;
struct RpcChannelCall {
  RpcChannelCall *next, **link;
  /* The channel goes: the call ends now, and takes itself off the list. */
  void (*abandon)(RpcChannelCall *on_channel);
};

struct RpcChannel {
  RpcQueue *queue;
  grpc_channel *channel;
  RpcChannelCall *calls; /* those whose last callback has not run */
  int64_t knocked_ms;    /* monotonic; 0: never */
};

/* A call failed for want of a connection: the next attempt is due, whatever the C core makes of the time. */
void rpc_channel_knock(RpcChannel *channel);

#endif
