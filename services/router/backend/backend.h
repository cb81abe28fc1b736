/* gRPC calls to a service of ours, whose replicas come and go: by HTTP/2 on the loop that has the call, without gRPC's
 * C core. The mirror image of lib/rpc/rpc_server.h, as lib/rpc/rpc_client.h is.
 *
 * A call that a replica has surely not processed is made again, at another: one that did not leave, was refused
 * (REFUSED_STREAM), or stands above the last one that a leaving replica names (GOAWAY). No other is sent twice. For
 * that what was written is kept until the answer begins, REPLAY_MAX of it; a call that writes more is not made again.
 *
 * While a first connection is on its way, or all are full, calls wait, within their deadline; when the last attempt
 * with each replica has failed they fail at once, with UNAVAILABLE.
 *
 * Everything belongs to one loop, and is on its thread. Functions never call handlers from inside, but backend_free.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "services/router/backend/backend_pool.h"

typedef struct Backend Backend;
typedef struct BackendCall BackendCall;

/* targets, names: as backend_pool.h says. */
Backend *backend_new(Loop *loop, const char *targets, const BackendNames *names);
/* Calls under way end with CANCELLED; their on_done runs before it returns. NULL-safe; not in a handler. */
void backend_free(Backend *backend);

typedef struct BackendHandlers {
  /* One message, after backend_read; data is valid during the handler. */
  void (*on_message)(BackendCall *call, void *arg, const uint8_t *data, size_t len);
  /* A call that was full is no longer. */
  void (*on_drain)(BackendCall *call, void *arg);
  /* Last, and the call is gone after it: status->kind ERROR_NONE for OK. details: the bytes of
   * grpc-status-details-bin, may be empty. CANCELLED means that this side cancelled; a server's own is UNAVAILABLE. */
  void (*on_done)(BackendCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len);
} BackendHandlers;

/* timeout_ms: INT64_MAX for none. metadata: names in small letters, none of which ends in "-bin"; copied. */
BackendCall *backend_call(Backend *backend, const char *path, int64_t timeout_ms, const Http2Field *metadata, size_t n,
                          const BackendHandlers *handlers, void *arg);
/* One message, copied. */
void backend_write(BackendCall *call, const uint8_t *data, size_t len);
/* More should not be written before on_drain. */
bool backend_is_full(BackendCall *call);
/* No more messages from this side. */
void backend_half_close(BackendCall *call);
/* Asks for one more message. */
void backend_read(BackendCall *call);
/* on_done follows, with CANCELLED unless the call is over already. */
void backend_cancel(BackendCall *call);

#endif
