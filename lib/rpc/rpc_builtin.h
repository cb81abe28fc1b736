/* Services that every server has: health and reflection (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_BUILTIN_H_
#define SANDPLANE_LIB_RPC_RPC_BUILTIN_H_

#include "lib/rpc/rpc_server.h"

typedef struct RpcBuiltin RpcBuiltin;

/* Knows the services of config->methods and its own. NULL and err: the descriptors cannot be parsed. */
RpcBuiltin *rpc_builtin_new(const RpcServerConfig *config, Error *err);
void rpc_builtin_free(RpcBuiltin *builtin);
/* Their rows; start takes the RpcBuiltin as service. */
const RpcMethod *rpc_builtin_methods(size_t *ret_n);
void rpc_builtin_set_serving(RpcBuiltin *builtin, bool serving);
/* NOT_SERVING from now on, and the streams of watchers end. */
void rpc_builtin_end(RpcBuiltin *builtin);

#endif
