/* What a server and its built-in services need of a call beyond rpc_server.h, whatever carries it (internal to
 * lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_CALL_H_
#define SANDPLANE_LIB_RPC_RPC_CALL_H_

#include <grpc/slice.h>

#include "lib/base/list.h"
#include "lib/rpc/rpc_server.h"

/* A row of the server's table; NULL: none matches. */
struct Route;

/* Of the server, handed to every call of it. */
typedef struct RpcCallOwner {
  size_t max_message_bytes;
  List *live; /* calls that a handler has */
  void *arg;
  /* The call is about to be freed. */
  void (*on_end)(void *arg, RpcCall *call, struct Route *route, ErrorKind status, int64_t duration_us);
} RpcCallOwner;

/* It is given to a handler: it has an end from now on. Held; the caller releases it. */
void rpc_call_begin(RpcCall *call);
/* All live calls whose handlers want to know when their client goes: each is told as if it had, and whatever it
 * finishes the call with, the client is told why. */
void rpc_call_end_all(const RpcCallOwner *owner, const Error *why);
void rpc_call_set_observer(RpcCall *call, void *observer);
void rpc_call_set_path(RpcCall *call, const char *path);
void rpc_call_set_route(RpcCall *call, struct Route *route);
/* rpc_call_reply and rpc_call_write with a message that is moved in. */
void rpc_call_reply_slice(RpcCall *call, grpc_slice message);
void rpc_call_write_slice(RpcCall *call, grpc_slice message, void (*fn)(RpcCall *call, void *arg), void *arg);

#endif
