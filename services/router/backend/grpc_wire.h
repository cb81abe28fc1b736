/* What gRPC adds to HTTP/2, of a client: messages in frames, time limits, statuses. No I/O; nothing that a server sends
 * is believed to be well-formed. By gRPC's "PROTOCOL-HTTP2" and "http-grpc-status-mapping". */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_GRPC_WIRE_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_GRPC_WIRE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/http2/http2_request.h"

enum {
  GRPC_WIRE_HEAD = 5,      /* before each message */
  GRPC_WIRE_TIMEOUT = 16,  /* room for a value of grpc-timeout */
  GRPC_WIRE_MAX = 4 << 20, /* of a message: what gRPC's clients take by default, and lib/rpc's servers send */
};

void grpc_wire_head(size_t len, uint8_t out[GRPC_WIRE_HEAD]);
/* The message at the beginning of data. 0; 1: it is not complete; -1: RESOURCE_EXHAUSTED (too large) or INTERNAL
 * (compressed, which nobody offered). */
int grpc_wire_next(const uint8_t *data, size_t len, size_t *ret_len, Error *err) MUST_CHECK;
/* A time limit, at most eight digits, rounded up; ms above those of 27 hours are cut to seconds and so on. */
void grpc_wire_timeout(int64_t ms, char out[GRPC_WIRE_TIMEOUT]);
/* Whether HTTP/2 can carry it as the value of a field: printable ASCII, without a blank at either end. */
bool grpc_wire_is_value(const char *value);
/* "application/grpc", also with "+proto" or parameters. NULL: no. */
bool grpc_wire_is_grpc(const char *content_type);
/* The first of this name; NULL: none. */
const char *grpc_wire_field(const Http2Field *fields, size_t n, const char *name);
/* What an answer's last fields say; http_status: its head's, which counts where they say nothing. ERROR_NONE: OK.
 * details: grpc-status-details-bin is appended to it, as bytes. */
void grpc_wire_status(const Http2Field *fields, size_t n, int http_status, Error *ret_status, Buf *details);
/* Of a stream that the server reset. */
ErrorKind grpc_wire_kind_of_reset(uint32_t code);
ErrorKind grpc_wire_kind_of_http(int status);

#endif
