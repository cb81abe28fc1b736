/* What the heads of gRPC over HTTP say: content types, timeouts, origins, messages of a status. Values, without a call
 * (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_HTTP_HEAD_H_
#define SANDPLANE_LIB_RPC_RPC_HTTP_HEAD_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"

/* How messages and trailers are packed. */
typedef enum RpcForm {
  RPC_FORM_NONE,
  RPC_FORM_GRPC,     /* trailers are those of HTTP/2 */
  RPC_FORM_WEB,      /* trailers are the last frame of the body */
  RPC_FORM_WEB_TEXT, /* and all of it is base64 */
} RpcForm;

/* content_type NULL: there is none. Of messages that are protobuf alone. */
RpcForm rpc_http_form(const char *content_type);
/* Of an answer. */
const char *rpc_http_content_type(RpcForm form);
/* grpc-timeout: 1 to 8 digits and a unit; rounded up to milliseconds. 0 or -1. */
int rpc_http_timeout_ms(const char *text, int64_t *ret_ms) MUST_CHECK;
/* Whether a list "https://a.example,http://b:3000" names this origin; "*" names all, an empty list none. */
bool rpc_http_lists_origin(const char *list, const char *origin);
/* grpc-message: what is not printable ASCII, and '%', in hexadecimal digits. Cut where out is full. */
void rpc_http_encode_message(Buf *out, const char *message);
/* A value of a field that ends in -bin, with padding or without; -1: it is not base64. */
int rpc_http_decode_binary(Buf *out, const char *value) MUST_CHECK;

#endif
