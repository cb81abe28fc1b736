/* Messages between the C core's slices and plain bytes (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_BYTES_H_
#define SANDPLANE_LIB_RPC_RPC_BYTES_H_

#include <grpc/grpc.h>
#include <stddef.h>
#include <stdint.h>

/* The whole message as one slice, without a copy when it arrived in one piece. Frees buffer. */
grpc_slice rpc_bytes_take(grpc_byte_buffer *buffer);
/* A message for sending; the slice is moved into it. */
grpc_byte_buffer *rpc_bytes_wrap(grpc_slice slice);
/* NUL-terminated copy; the caller frees. */
char *rpc_bytes_string(grpc_slice slice);

#endif
