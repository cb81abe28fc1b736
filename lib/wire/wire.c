/* See wire.h. */
#include "lib/wire/wire.h"

#include <string.h>

void wire_header(uint8_t out[WIRE_HEADER_LEN], WireType type, size_t len) {
  out[0] = (uint8_t)type;
  for (int i = 0; i < 4; i++)
    out[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

int wire_append(Buf *out, WireType type, const void *payload, size_t len) {
  if (len > WIRE_MAX_PAYLOAD)
    return -1;
  uint8_t *to = buf_reserve(out, WIRE_HEADER_LEN + len);
  if (!to)
    return -1;
  wire_header(to, type, len);
  if (len)
    memcpy(to + WIRE_HEADER_LEN, payload, len);
  out->len += WIRE_HEADER_LEN + len;
  out->data[out->len] = 0;
  return 0;
}

int wire_parse(const uint8_t *data, size_t len, WireFrame *ret_frame, size_t *ret_used, Error *err) {
  if (len == 0)
    return WIRE_MORE;
  /* checked before the length is there: garbage is refused at its first byte */
  if (data[0] > WIRE_ACCEPT)
    return error_set(err, ERROR_INVALID_ARGUMENT, "frame of unknown type %u", data[0]);
  if (len < WIRE_HEADER_LEN)
    return WIRE_MORE;
  size_t n = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
  if (n > WIRE_MAX_PAYLOAD)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "frame of %zu bytes, at most %d are allowed", n, WIRE_MAX_PAYLOAD);
  if (len - WIRE_HEADER_LEN < n)
    return WIRE_MORE;
  *ret_frame = (WireFrame){.type = (WireType)data[0], .payload = data + WIRE_HEADER_LEN, .len = n};
  *ret_used = WIRE_HEADER_LEN + n;
  return 0;
}
