/* protobuf-c beside rpc_server.h: what every _rpc.c needs, once. */
#ifndef SANDPLANE_LIB_RPC_RPC_PB_H_
#define SANDPLANE_LIB_RPC_RPC_PB_H_

#include <protobuf-c/protobuf-c.h>

#include "lib/base/arena.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"

/* Parses and checks (no NUL and no bad UTF-8 in any string field, which protobuf-c lets through; the field
 * is named in err). The message lives in the arena. NULL: INVALID_ARGUMENT in err. */
void *rpc_pb_unpack(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *data, size_t len,
                    Error *err);
/* rpc_call_reply and rpc_call_write with a packed message. */
void rpc_pb_reply(RpcCall *call, const ProtobufCMessage *message);
void rpc_pb_write(RpcCall *call, const ProtobufCMessage *message, void (*fn)(RpcCall *call, void *arg), void *arg);
/* A packed copy; the caller frees. */
uint8_t *rpc_pb_pack(const ProtobufCMessage *message, size_t *ret_len);

#endif
