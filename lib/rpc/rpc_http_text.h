/* The base64 of gRPC-Web's text form, as it comes and goes in pieces (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_HTTP_TEXT_H_
#define SANDPLANE_LIB_RPC_RPC_HTTP_TEXT_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"

/* What of a group of four digits was there. Zeroed: none. */
typedef struct RpcHttpText {
  uint8_t group[4];
  size_t n;
} RpcHttpText;

/* Whole groups; padding may end any of them, for each side may encode in pieces. -1: it is not base64, or out is full.
 */
int rpc_http_text_decode(RpcHttpText *text, Buf *out, const uint8_t *data, size_t len) MUST_CHECK;
/* Appends the piece, padded to whole groups. */
int rpc_http_text_encode(Buf *out, const uint8_t *data, size_t len) MUST_CHECK;

#endif
