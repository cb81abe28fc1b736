/* A call being answered: the service, the call and an arena for all that the answer takes. Every handler of
 * every service begins with one and ends it once. */
#ifndef SANDPLANE_LIB_RPC_RPC_REQUEST_H_
#define SANDPLANE_LIB_RPC_RPC_REQUEST_H_

#include "lib/rpc/rpc_pb.h"

typedef struct RpcRequest {
  void *service;
  RpcCall *call;
  Arena *arena; /* holds the RpcRequest itself as well */
} RpcRequest;

/* size: of the handler's own struct, whose first member is an RpcRequest; zeroed. */
void *rpc_request_new(RpcCall *call, void *service, size_t size);
/* Each ends the call and frees the request. */
void rpc_request_reply(RpcRequest *request, const ProtobufCMessage *message);
/* UNAVAILABLE and RESOURCE_EXHAUSTED get a delay for the next try if they have none. */
void rpc_request_fail(RpcRequest *request, const Error *err);

#endif
