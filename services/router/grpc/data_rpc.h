/* The data half of SandboxService: calls that reach into a sandbox (Exec, files), one path for all of them.
 *
 * The first message is read for the sandbox's name, the sandbox is looked up, and then messages pass between
 * the client and the runtime as bytes, each way as fast as the slower side takes them. What the runtime
 * answers is the call's status. A client that vanishes or runs out of time closes the connection, on which
 * the runtime kills what the call started.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_GRPC_DATA_RPC_H_
#define SANDPLANE_SERVICES_ROUTER_GRPC_DATA_RPC_H_

#include "lib/rpc/rpc_server.h"

/* RpcMethod.start of the methods whose request is one message, and of those whose is a stream. */
void data_rpc_single(RpcCall *call, void *router, const uint8_t *data, size_t len);
void data_rpc_stream(RpcCall *call, void *router, const uint8_t *data, size_t len);

#endif
