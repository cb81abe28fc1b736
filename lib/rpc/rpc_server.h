/* A gRPC server on the C core, driven by the service's loop.
 *
 * One thread polls the completion queue and hands what it finds to the loop (rpc_queue.h); everything declared
 * here is called on, and calls back on, the loop thread. Messages are bytes: protobuf-c stays with the
 * caller (rpc_pb.h). Every call, unary or streaming, has the same shape: the handler is told of a new call,
 * pulls messages one at a time and finishes it once.
 *
 * Health (grpc.health.v1), reflection (v1 and v1alpha), keep-alive, message limits and draining are built in.
 */
#ifndef SANDPLANE_LIB_RPC_RPC_SERVER_H_
#define SANDPLANE_LIB_RPC_RPC_SERVER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

typedef struct RpcServer RpcServer;
typedef struct RpcCall RpcCall;

typedef enum RpcKind {
  /* The server reads the one request itself: start is called with it, and with half-close done. */
  RPC_UNARY,
  /* start is called with no message; the handler pulls with rpc_call_read. */
  RPC_STREAM,
} RpcKind;

typedef struct RpcMethod {
  /* "/package.Service/Method"; "/package.Service/" (trailing slash) takes all methods of it that have no
   * row of their own, as RPC_STREAM. */
  const char *path;
  RpcKind kind;
  /* data, len: the request of a unary call, valid until the call is finished; NULL, 0 for a stream. */
  void (*start)(RpcCall *call, void *service, const uint8_t *data, size_t len);
} RpcMethod;

typedef struct RpcServerConfig {
  const char *address; /* "host:port" or "unix:/path" */
  /* Largest message either way; 0: 4 MiB, the default of gRPC clients. */
  size_t max_message_bytes;
  /* More calls than this at once are refused with RESOURCE_EXHAUSTED and RetryInfo; 0: 10,000. */
  size_t max_calls;
  /* Where calls are counted for that; NULL: in the server alone. Servers of several threads may share it. */
  _Atomic(size_t) *n_calls;
  /* Of calls over HTTP: bytes of messages that wait, of all calls together, above which those that hold more than a few
   * are ended with RESOURCE_EXHAUSTED; 0: 128 MiB. n_held: as n_calls. */
  size_t max_held_bytes;
  _Atomic(size_t) *n_held;
  const RpcMethod *methods;
  size_t n_methods;
  void *service; /* handed to start */
  /* Serialized google.protobuf.FileDescriptorSet of all services, for reflection. */
  const uint8_t *descriptors;
  size_t descriptors_len;
  /* Called before a handler is told of its call, for traces; may be NULL. What it returns is rpc_call_observer(call)
   * from then on. Not for calls that get no handler. */
  void *(*on_begin)(void *service, RpcCall *call);
  /* Called when a call ends, for metrics, traces and logs; observer: what on_begin returned, or NULL. May be NULL. */
  void (*on_done)(void *service, const char *path, ErrorKind status, int64_t duration_us, void *observer);
} RpcServerConfig;

/* Serves from the moment it returns; health says SERVING after rpc_server_set_serving(true). The config's
 * tables must outlive it. NULL and err when the address cannot be bound. */
RpcServer *rpc_server_new(Loop *loop, const RpcServerConfig *config, Error *err);
void rpc_server_set_serving(RpcServer *server, bool serving);
/* The bound port, for address ":0". */
int rpc_server_port(const RpcServer *server);
/* Graceful end. Health is NOT_SERVING at once. Then a moment of silence, in which new calls are taken and wait, so that
 * callers who take turns with their answers fall silent too; then GOAWAY, and those that waited are served like all
 * that are under way. Their clients go elsewhere with what comes after. After grace_ms what is left ends with
 * UNAVAILABLE: its handlers are told as if the clients had gone. done runs on the loop when nothing is left. A second
 * call only sets another grace. */
void rpc_server_drain(RpcServer *server, int64_t grace_ms, void (*done)(void *arg), void *arg);
/* After done has run. */
void rpc_server_free(RpcServer *server);

/* ---- A call. It lives from start until rpc_call_finish (or _reply): no callback runs after that. ---- */

/* Pulls the next message. One read at a time. fn: data NULL when the client half-closed, and then only once.
 * data is valid during fn only. When the client vanishes instead, on_cancel runs and fn does not; without an
 * on_cancel fn runs with NULL, and rpc_call_cancelled tells the difference. */
void rpc_call_read(RpcCall *call, void (*fn)(RpcCall *call, void *arg, const uint8_t *data, size_t len), void *arg);
/* Sends one message (copied). Any number may be queued; rpc_call_pending_bytes tells how much waits, and
 * fn (may be NULL) runs when this one has left: that is the back-pressure of a stream. It does not run for a
 * call that is cancelled: rpc_call_on_cancel tells. A message above max_message_bytes is not sent; the call
 * then ends with RESOURCE_EXHAUSTED. */
void rpc_call_write(RpcCall *call, const uint8_t *data, size_t len, void (*fn)(RpcCall *call, void *arg), void *arg);
size_t rpc_call_pending_bytes(const RpcCall *call);
/* Ends the call after what is queued: NULL: OK. Otherwise the status of err, with google.rpc.Status details
 * (BadRequest, RetryInfo) in grpc-status-details-bin. Exactly once; a cancelled call must be finished too. */
void rpc_call_finish(RpcCall *call, const Error *err);
/* The same with the details of another server, for a proxy. */
void rpc_call_finish_details(RpcCall *call, const Error *err, const uint8_t *details, size_t details_len);
/* rpc_call_write and rpc_call_finish(NULL) in one batch. */
void rpc_call_reply(RpcCall *call, const uint8_t *data, size_t len);
/* fn runs at most once, when the client cancels, its deadline passes or its connection is lost (at once if
 * that is known already), and never after rpc_call_finish. The handler must then finish the call soon. */
void rpc_call_on_cancel(RpcCall *call, void (*fn)(RpcCall *call, void *arg), void *arg);
/* The client is gone: it cancelled, its deadline passed or its connection was lost. */
bool rpc_call_cancelled(const RpcCall *call);
/* Milliseconds until the deadline; INT64_MAX: none; 0: passed. */
int64_t rpc_call_time_left_ms(const RpcCall *call);
const char *rpc_call_path(const RpcCall *call);
/* Address of the client, "ipv4:127.0.0.1:1234". */
const char *rpc_call_peer(const RpcCall *call);
/* First value of a request header (lower-case key), NULL if there is none. */
const char *rpc_call_metadata(const RpcCall *call, const char *key);
/* What the config's on_begin made of the call; NULL without one. */
void *rpc_call_observer(const RpcCall *call);
/* A place for the handler's own state. */
void rpc_call_set_data(RpcCall *call, void *data);
void *rpc_call_data(const RpcCall *call);

#endif
