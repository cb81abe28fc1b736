/* See rpc_http_head.h. */
#include "lib/rpc/rpc_http_head.h"

#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

static const struct {
  const char *text;
  RpcForm form;
} FORMS[] = {
    {"application/grpc", RPC_FORM_GRPC},
    {"application/grpc+proto", RPC_FORM_GRPC},
    {"application/grpc-web", RPC_FORM_WEB},
    {"application/grpc-web+proto", RPC_FORM_WEB},
    {"application/grpc-web-text", RPC_FORM_WEB_TEXT},
    {"application/grpc-web-text+proto", RPC_FORM_WEB_TEXT},
};

RpcForm rpc_http_form(const char *content_type) {
  if (!content_type)
    return RPC_FORM_NONE;
  /* parameters are of no meaning here */
  size_t len = strcspn(content_type, "; \t");
  for (size_t i = 0; i < ARRAY_LEN(FORMS); i++)
    if (strlen(FORMS[i].text) == len && strncasecmp(FORMS[i].text, content_type, len) == 0)
      return FORMS[i].form;
  return RPC_FORM_NONE;
}

const char *rpc_http_content_type(RpcForm form) {
  switch (form) {
  case RPC_FORM_WEB:
    return "application/grpc-web+proto";
  case RPC_FORM_WEB_TEXT:
    return "application/grpc-web-text+proto";
  default:
    return "application/grpc";
  }
}

int rpc_http_timeout_ms(const char *text, int64_t *ret_ms) {
  enum { DIGITS = 8 };
  size_t n = strspn(text, "0123456789");
  if (n == 0 || n > DIGITS || strlen(text) != n + 1)
    return -1;
  int64_t value = str_leading_int64(text, 0);
  switch (text[n]) {
  case 'H':
    *ret_ms = value * 3600 * 1000;
    return 0;
  case 'M':
    *ret_ms = value * 60 * 1000;
    return 0;
  case 'S':
    *ret_ms = value * 1000;
    return 0;
  case 'm':
    *ret_ms = value;
    return 0;
  case 'u':
    *ret_ms = (value + 999) / 1000;
    return 0;
  case 'n':
    *ret_ms = (value + 999999) / 1000000;
    return 0;
  default:
    return -1;
  }
}

bool rpc_http_lists_origin(const char *list, const char *origin) {
  size_t wanted = strlen(origin);
  for (const char *at = list; *at;) {
    size_t len = strcspn(at, ",");
    if ((len == 1 && *at == '*') || (len == wanted && strncasecmp(at, origin, len) == 0))
      return true;
    at += len;
    at += *at == ',';
  }
  return false;
}

void rpc_http_encode_message(Buf *out, const char *message) {
  static const char DIGITS[] = "0123456789ABCDEF";
  for (; *message; message++) {
    unsigned char c = (unsigned char)*message;
    char escaped[3] = {'%', DIGITS[c >> 4], DIGITS[c & 15]};
    bool plain = c >= 0x20 && c <= 0x7e && c != '%';
    if (buf_append(out, plain ? message : escaped, plain ? 1 : sizeof escaped) != 0)
      return;
  }
}

int rpc_http_decode_binary(Buf *out, const char *value) {
  size_t len = strlen(value);
  while (len > 0 && value[len - 1] == '=')
    len--;
  CLEANUP(buf_deinit) Buf padded = {0};
  if (buf_append(&padded, value, len) != 0 || buf_append(&padded, "===", (4 - len % 4) % 4) != 0)
    return -1;
  return str_base64_decode(out, buf_str(&padded), padded.len, false);
}
