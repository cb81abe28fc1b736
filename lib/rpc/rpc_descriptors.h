/* An index over a FileDescriptorSet (internal to lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_DESCRIPTORS_H_
#define SANDPLANE_LIB_RPC_RPC_DESCRIPTORS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

typedef struct RpcDescriptors RpcDescriptors;

typedef struct RpcDescriptorFile {
  const char *name;
  uint8_t *data; /* serialized FileDescriptorProto */
  size_t len;
  const size_t *imports; /* indexes of files */
  size_t n_imports;
} RpcDescriptorFile;

/* len 0: an index of nothing. NULL: not a FileDescriptorSet, or one that lacks an imported file. */
RpcDescriptors *rpc_descriptors_new(const uint8_t *set, size_t len, Error *err);
void rpc_descriptors_free(RpcDescriptors *d);
size_t rpc_descriptors_count(const RpcDescriptors *d);
const RpcDescriptorFile *rpc_descriptors_file(const RpcDescriptors *d, size_t index);
/* Index of the file of that name, or that declares the symbol of that full name; -1: none. */
int rpc_descriptors_by_name(const RpcDescriptors *d, const char *name);
int rpc_descriptors_by_symbol(const RpcDescriptors *d, const char *symbol);
bool rpc_descriptors_is_message(const RpcDescriptors *d, const char *symbol);

#endif
