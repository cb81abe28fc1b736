/* The only place that looks into byte buffers. */
#include "lib/rpc/rpc_bytes.h"
#include "lib/base/alloc.h"

#include <grpc/byte_buffer_reader.h>
#include <stdlib.h>
#include <string.h>

grpc_slice rpc_bytes_take(grpc_byte_buffer *buffer) {
  grpc_slice slice = grpc_empty_slice();
  grpc_byte_buffer_reader reader;
  /* Fails for compressed buffers only, and the C core hands those over decompressed. */
  if (!grpc_byte_buffer_reader_init(&reader, buffer))
    abort();
  size_t len = grpc_byte_buffer_length(buffer);
  grpc_slice *first;
  if (grpc_byte_buffer_reader_peek(&reader, &first) && GRPC_SLICE_LENGTH(*first) == len) {
    slice = grpc_slice_ref(*first);
  } else if (len > 0) {
    grpc_byte_buffer_reader_destroy(&reader);
    if (!grpc_byte_buffer_reader_init(&reader, buffer))
      abort();
    slice = grpc_byte_buffer_reader_readall(&reader);
  }
  grpc_byte_buffer_reader_destroy(&reader);
  grpc_byte_buffer_destroy(buffer);
  return slice;
}

grpc_byte_buffer *rpc_bytes_wrap(grpc_slice slice) {
  grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
  grpc_slice_unref(slice);
  return buffer;
}

char *rpc_bytes_string(grpc_slice slice) {
  size_t len = GRPC_SLICE_LENGTH(slice);
  char *out = xcalloc(1, len + 1);
  if (len > 0)
    memcpy(out, GRPC_SLICE_START_PTR(slice), len);
  return out;
}
