/* protobuf-c between bytes and calls. Messages are packed straight into what gRPC sends. */
#include "lib/rpc/rpc_pb.h"

#include "lib/base/alloc.h"
#include "lib/rpc/rpc_call.h"
#include "lib/rpc/rpc_pb_check.h"

/* An empty nested message takes two bytes on the wire and perhaps a hundred in memory, so the wire's limit is
 * not one of memory. Sixteen times the bytes leaves room for every honest message. */
enum { MEMORY_FACTOR = 16, MEMORY_BASE = 64 << 10 };

typedef struct Budget {
  Arena *arena;
  size_t left;
} Budget;

static void *budget_alloc(void *arg, size_t size) {
  Budget *budget = arg;
  if (size > budget->left)
    return NULL;
  budget->left -= size;
  return arena_alloc(budget->arena, size);
}

static void budget_free(void *arg, void *p) {}

void *rpc_pb_unpack(const ProtobufCMessageDescriptor *descriptor, Arena *arena, const uint8_t *data, size_t len,
                    Error *err) {
  if (rpc_pb_check(descriptor, data, len, err) < 0)
    return NULL;
  Budget budget = {.arena = arena, .left = MEMORY_BASE + len * MEMORY_FACTOR};
  ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};
  void *message = protobuf_c_message_unpack(descriptor, &allocator, len, data);
  if (!message)
    error_set(err, ERROR_INVALID_ARGUMENT, "the request is not a valid %s", descriptor->name);
  return message;
}

static grpc_slice pack(const ProtobufCMessage *message) {
  grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
  protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
  return slice;
}

void rpc_pb_reply(RpcCall *call, const ProtobufCMessage *message) {
  rpc_call_reply_slice(call, pack(message));
}

void rpc_pb_write(RpcCall *call, const ProtobufCMessage *message, void (*fn)(RpcCall *call, void *arg), void *arg) {
  rpc_call_write_slice(call, pack(message), fn, arg);
}

uint8_t *rpc_pb_pack(const ProtobufCMessage *message, size_t *ret_len) {
  *ret_len = protobuf_c_message_get_packed_size(message);
  uint8_t *out = xcalloc(1, *ret_len);
  protobuf_c_message_pack(message, out);
  return out;
}
