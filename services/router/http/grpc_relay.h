/* A call of gRPC to a port of a sandbox: from a stream of the client's HTTP/2 connection to one of the program's, which
 * is HTTP/2 with prior knowledge. Messages pass as bytes, both windows hold, and what comes behind the body either way
 * goes along. The program is reached as by an Exchange, on a connection of the call's own. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_GRPC_RELAY_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_GRPC_RELAY_H_

#include "lib/base/error.h"
#include "lib/http2/http2_session.h"
#include "services/router/http/failure.h"
#include "services/router/router.h"
#include "services/router/target.h"

typedef struct GrpcRelay GrpcRelay;

/* Both are the last that is told, and may free it. */
typedef struct GrpcRelayHandlers {
  /* The answer is said. bytes: of its body. */
  void (*on_end)(void *arg, int status, uint64_t bytes);
  /* Nothing of an answer was said. */
  void (*on_fail)(void *arg, Failure failure, const char *why);
} GrpcRelayHandlers;

/* head: of the request, as it would go over HTTP/1.1 (forward.h). ended: it has no body. front: the client's stream,
 * which is answered from here. */
GrpcRelay *grpc_relay_new(Router *router, const Target *target, const Buf *head, bool ended, Http2Stream *front,
                          const GrpcRelayHandlers *handlers, void *arg);
/* NULL-safe; ends what is under way. */
void grpc_relay_free(GrpcRelay *relay);
/* Whether the sandbox was found. */
bool grpc_relay_is_found(const GrpcRelay *relay);
/* Of the client's stream. */
void grpc_relay_body(GrpcRelay *relay, const uint8_t *data, size_t len);
void grpc_relay_end(GrpcRelay *relay);
void grpc_relay_drain(GrpcRelay *relay);

/* An answer of the router itself: a status of gRPC in one head. http_status: what it would be to another request. */
void grpc_relay_refuse(Http2Stream *front, int http_status, const char *message);

#endif
