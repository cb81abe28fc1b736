/* See rpc_http_text.h. */
#include "lib/rpc/rpc_http_text.h"

#include "lib/base/str.h"

int rpc_http_text_decode(RpcHttpText *text, Buf *out, const uint8_t *data, size_t len) {
  for (size_t i = 0; i < len; i++) {
    text->group[text->n++] = data[i];
    if (text->n < sizeof text->group)
      continue;
    text->n = 0;
    if (str_base64_decode(out, (const char *)text->group, sizeof text->group, false) != 0)
      return -1;
  }
  return 0;
}

int rpc_http_text_encode(Buf *out, const uint8_t *data, size_t len) {
  return str_base64_encode(out, data, len, false);
}
