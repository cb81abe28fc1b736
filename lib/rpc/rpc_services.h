/* Full names of the services that a server serves (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_SERVICES_H_
#define SANDPLANE_LIB_RPC_RPC_SERVICES_H_

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct RpcServices {
  char **names;
  size_t n;
} RpcServices;

static inline bool rpc_services_has(const RpcServices *services, const char *name) {
  for (size_t i = 0; i < services->n; i++) {
    if (!strcmp(services->names[i], name))
      return true;
  }
  return false;
}

#endif
