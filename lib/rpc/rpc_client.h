/* gRPC client calls on the C core, driven by the loop: the mirror image of rpc_server.h. */
#ifndef SANDPLANE_LIB_RPC_RPC_CLIENT_H_
#define SANDPLANE_LIB_RPC_RPC_CLIENT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

typedef struct RpcChannel RpcChannel;
typedef struct RpcClientCall RpcClientCall;

typedef struct RpcMetadata {
  const char *key; /* lower case */
  const char *value;
} RpcMetadata;

/* targets: one address or several with commas, "host:port,host:port" (round robin over those that answer)
 * or "unix:/path". Connects in the background, again and again (back-off 50 ms to 250 ms). */
RpcChannel *rpc_channel_new(Loop *loop, const char *targets);
/* Cancels what is under way; the callbacks of those calls run before it returns. NULL-safe. */
void rpc_channel_free(RpcChannel *channel);

typedef struct RpcClientHandlers {
  /* One message, after rpc_client_read; data is valid during the call only. */
  void (*on_message)(RpcClientCall *call, void *arg, const uint8_t *data, size_t len);
  /* The write before has left; may be NULL. */
  void (*on_written)(RpcClientCall *call, void *arg);
  /* Last callback: status->kind ERROR_NONE for OK. Field and retry delay are filled from the details, and
   * details (the bytes of grpc-status-details-bin, may be empty) lets a proxy hand them on unchanged. The
   * call is gone after it. CANCELLED means that this side cancelled; a server's own is UNAVAILABLE. */
  void (*on_done)(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len);
} RpcClientHandlers;

/* timeout_ms: INT64_MAX for none. wait_for_ready: wait for a connection instead of failing at once. */
RpcClientCall *rpc_client_call(RpcChannel *channel, const char *path, int64_t timeout_ms, bool wait_for_ready,
                               const RpcMetadata *metadata, size_t n_metadata, const RpcClientHandlers *handlers,
                               void *arg);
/* Copied and queued. */
void rpc_client_write(RpcClientCall *call, const uint8_t *data, size_t len);
size_t rpc_client_pending_bytes(const RpcClientCall *call);
/* No more messages from this side. */
void rpc_client_half_close(RpcClientCall *call);
/* Asks for one more message. */
void rpc_client_read(RpcClientCall *call);
/* on_done follows with CANCELLED, unless the call is over already. */
void rpc_client_cancel(RpcClientCall *call);

/* One request, one answer. fn: status ERROR_NONE and the answer, or the failure and NULL. Returns the call,
 * only for rpc_client_cancel before fn has run. */
RpcClientCall *rpc_client_unary_with(RpcChannel *channel, const char *path, int64_t timeout_ms,
                                     const RpcMetadata *metadata, size_t n_metadata, const uint8_t *data, size_t len,
                                     void (*fn)(void *arg, const Error *status, const uint8_t *data, size_t len),
                                     void *arg);
/* The same without metadata. */
RpcClientCall *rpc_client_unary(RpcChannel *channel, const char *path, int64_t timeout_ms, const uint8_t *data,
                                size_t len, void (*fn)(void *arg, const Error *status, const uint8_t *data, size_t len),
                                void *arg);

#endif
