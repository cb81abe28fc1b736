/* Addresses: listening on them, and what to tell a channel about them (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_ADDRESS_H_
#define SANDPLANE_LIB_RPC_RPC_ADDRESS_H_

#include <grpc/grpc.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

/* Adds every address that "host:port", ":port", "[v6]:port" or "unix:/path" stands for to a server that has
 * not started. The bound port (0 for a Unix socket), or -1. */
int rpc_address_listen(grpc_server *server, const char *address, Error *err) MUST_CHECK;
/* The C core's name for a list of addresses; the caller frees. */
char *rpc_address_target(const char *targets);

#endif
