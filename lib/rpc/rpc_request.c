/* See rpc_request.h. */
#include "lib/rpc/rpc_request.h"

/* Connections are made again within a second. */
enum { RETRY_AFTER_MS = 1000 };

void *rpc_request_new(RpcCall *call, void *service, size_t size) {
  Arena *arena = arena_new();
  RpcRequest *request = arena_alloc(arena, size);
  *request = (RpcRequest){.service = service, .call = call, .arena = arena};
  return request;
}

void rpc_request_reply(RpcRequest *request, const ProtobufCMessage *message) {
  rpc_pb_reply(request->call, message);
  arena_free(request->arena);
}

void rpc_request_fail(RpcRequest *request, const Error *err) {
  Error out = *err;
  if ((out.kind == ERROR_UNAVAILABLE || out.kind == ERROR_RESOURCE_EXHAUSTED) && out.retry_after_ms == 0)
    out.retry_after_ms = RETRY_AFTER_MS;
  rpc_call_finish(request->call, &out);
  arena_free(request->arena);
}
