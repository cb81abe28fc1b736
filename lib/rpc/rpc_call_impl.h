/* The inside of a call, whatever carries it: who is to be told of what, and how it ended. What brings its messages
 * begins with an RpcCall and says in an RpcCarrier how. (Internal to lib/rpc.) */
#ifndef SANDPLANE_LIB_RPC_RPC_CALL_IMPL_H_
#define SANDPLANE_LIB_RPC_RPC_CALL_IMPL_H_

#include <grpc/slice.h>

#include "lib/base/list.h"
#include "lib/rpc/rpc_call.h"

typedef void (*RpcReadFn)(RpcCall *call, void *arg, const uint8_t *data, size_t len);
typedef void (*RpcWrittenFn)(RpcCall *call, void *arg);

/* None of these runs a handler from inside. */
typedef struct RpcCarrier {
  /* The next message is wanted: rpc_call_tell_message or rpc_call_tell_no_message follows. */
  void (*read)(RpcCall *call);
  /* Takes the message, of which it is known that it may leave. last: finish follows at once. */
  void (*write)(RpcCall *call, grpc_slice message, bool last, RpcWrittenFn fn, void *arg);
  size_t (*pending)(const RpcCall *call);
  /* The call was finished: its status goes behind what waits. */
  void (*finish)(RpcCall *call);
  int64_t (*time_left_ms)(const RpcCall *call);
  const char *(*peer)(RpcCall *call);
  const char *(*metadata)(RpcCall *call, const char *key);
  void (*free)(RpcCall *call);
} RpcCarrier;

struct RpcCall {
  const RpcCarrier *carrier;
  const RpcCallOwner *owner;
  struct Route *route;
  const char *path;
  int64_t start_us;
  void *observer;
  void *data;
  size_t holds;

  RpcReadFn read_fn;
  void *read_arg;
  bool reading;
  bool read_failed; /* it ended without a message, and not because the client half-closed */

  bool finished;
  ErrorKind status;
  char *status_message;
  uint8_t *details_bytes;
  size_t details_len;
  bool too_large; /* a message over the limit was to be sent */

  ListLink live; /* in owner->live, or among those that are being ended */
  bool ended;    /* by rpc_call_end: the status is set, whatever the handler says */
  bool cancel_seen;
  void (*cancel_fn)(RpcCall *call, void *arg);
  void *cancel_arg;
};

void rpc_call_init(RpcCall *call, const RpcCarrier *carrier, const RpcCallOwner *owner, struct Route *route);
/* What the carrier has under way, and every dispatch of a callback, holds the call. */
void rpc_call_hold(RpcCall *call);
/* Gives back a hold; a finished call is freed with the last one. */
void rpc_call_release(RpcCall *call);
/* Of a call that no handler has had. */
void rpc_call_drop(RpcCall *call);

/* These run handlers, so the call must be held. */

void rpc_call_tell_message(RpcCall *call, const uint8_t *data, size_t len);
/* half_closed: in order. Otherwise the client vanishes, and rpc_call_tell_cancelled has said so or will. */
void rpc_call_tell_no_message(RpcCall *call, bool half_closed);
void rpc_call_tell_cancelled(RpcCall *call);
/* As if the client had gone; whatever the handler then finishes with, the client is told why. */
void rpc_call_end(RpcCall *call, const Error *why);

#endif
