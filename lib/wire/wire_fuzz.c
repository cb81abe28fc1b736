/* Frames between router and runtime: each that is taken must come out again as the bytes it was. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  Error err;
  WireFrame frame;
  size_t used = 0;
  for (size_t at = 0; at < size; at += used) {
    int rc = wire_parse(data + at, size - at, &frame, &used, &err);
    if (rc < 0 || rc == WIRE_MORE)
      break;
    if (used < WIRE_HEADER_LEN || used > size - at || frame.len > WIRE_MAX_PAYLOAD)
      abort();
    Buf again = BUF_INIT(8 << 20);
    if (wire_append(&again, frame.type, frame.payload, frame.len) || again.len != used ||
        memcmp(again.data, data + at, used) != 0)
      abort();
    buf_deinit(&again);
    /* none of a frame that is cut */
    WireFrame cut;
    size_t n;
    if (wire_parse(data + at, used - 1, &cut, &n, &err) != WIRE_MORE)
      abort();
  }
  return 0;
}
