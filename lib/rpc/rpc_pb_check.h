/* What protobuf-c does not check (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_PB_CHECK_H_
#define SANDPLANE_LIB_RPC_RPC_PB_CHECK_H_

#include <protobuf-c/protobuf-c.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

/* 0, or -1 with INVALID_ARGUMENT, which names the string field that holds a NUL or bad UTF-8. */
int rpc_pb_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len, Error *err) MUST_CHECK;

#endif
