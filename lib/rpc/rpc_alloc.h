/* malloc that aborts when there is no memory, by the house rule (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_ALLOC_H_
#define SANDPLANE_LIB_RPC_RPC_ALLOC_H_

#include <stdlib.h>

/* Zeroed. */
static inline void *rpc_alloc(size_t size) {
  void *p = calloc(1, size ? size : 1);
  if (!p)
    abort();
  return p;
}

#endif
