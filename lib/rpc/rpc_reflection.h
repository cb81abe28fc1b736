/* grpc.reflection v1 and v1alpha (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_REFLECTION_H_
#define SANDPLANE_LIB_RPC_RPC_REFLECTION_H_

#include "lib/rpc/rpc_server.h"
#include "lib/rpc/rpc_services.h"

typedef struct RpcReflection RpcReflection;

RpcReflection *rpc_reflection_new(const RpcServices *services, const uint8_t *descriptors, size_t len, Error *err);
void rpc_reflection_free(RpcReflection *reflection);
void rpc_reflection_serve(RpcReflection *reflection, RpcCall *call);

#endif
