/* grpc.health.v1 (internal to lib/rpc). All services of a server share one status. */
#ifndef SANDPLANE_LIB_RPC_RPC_HEALTH_H_
#define SANDPLANE_LIB_RPC_RPC_HEALTH_H_

#include "lib/rpc/rpc_server.h"
#include "lib/rpc/rpc_services.h"

typedef struct RpcHealth RpcHealth;

/* NOT_SERVING at first. */
RpcHealth *rpc_health_new(const RpcServices *services);
void rpc_health_free(RpcHealth *health);
void rpc_health_set(RpcHealth *health, bool serving);
/* NOT_SERVING, and ends the watchers' streams with UNAVAILABLE. */
void rpc_health_end(RpcHealth *health);

void rpc_health_check(RpcHealth *health, RpcCall *call, const uint8_t *data, size_t len);
void rpc_health_watch(RpcHealth *health, RpcCall *call);

#endif
