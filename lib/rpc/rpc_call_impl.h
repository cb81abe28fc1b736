/* The inside of a call, shared by rpc_call.c (its life, what it receives) and rpc_call_send.c (what it
 * sends). */
#ifndef SANDPLANE_LIB_RPC_RPC_CALL_IMPL_H_
#define SANDPLANE_LIB_RPC_RPC_CALL_IMPL_H_

#include <grpc/grpc.h>

#include "lib/base/arena.h"
#include "lib/base/list.h"
#include "lib/rpc/rpc_call.h"
#include "lib/rpc/rpc_writes.h"

typedef void (*ReadFn)(RpcCall *call, void *arg, const uint8_t *data, size_t len);

struct RpcCall {
  const RpcCallOwner *owner;
  struct Route *route;
  grpc_call *call;
  gpr_timespec deadline;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  bool registered;
  const char *path;
  char *path_copy;
  char *peer;
  Arena *strings;
  int64_t start_us;
  void *observer;
  void *data;

  size_t holds;
  RpcOp accept_op, close_op, read_op, send_op;

  grpc_slice request;
  ReadFn read_fn;
  bool reading;
  bool read_failed;
  void *read_arg;
  grpc_byte_buffer *read_buffer;

  RpcWrites writes;
  bool sending;
  bool initial_sent;
  bool status_sent;
  bool broken; /* a batch failed: nothing more can leave */

  bool finished;
  ErrorKind status;
  char *status_message;
  uint8_t *details_bytes;
  size_t details_len;
  bool too_large; /* a message over the limit was queued */

  ListLink live; /* in owner->live, or among those that are being ended */
  bool ended;    /* by rpc_call_end_all: the status is set, whatever the handler says */

  bool close_watched;
  int cancelled; /* of the C core: set when close_op has run */
  bool cancel_seen;
  void (*cancel_fn)(RpcCall *call, void *arg);
  void *cancel_arg;
};

/* Gives back a hold; frees a finished call with the last one. */
void rpc_call_release(RpcCall *call);
/* The operation that watches for the call's end, to be started once. */
grpc_op rpc_call_close_watch(RpcCall *call);

#endif
