/* See grpc_wire.h. */
#include "services/router/backend/grpc_wire.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define GRPC "application/grpc"

/* What eight digits hold. */
enum { TIMEOUT_DIGITS_MAX = 99999999 };

void grpc_wire_head(size_t len, uint8_t out[GRPC_WIRE_HEAD]) {
  out[0] = 0;
  out[1] = (uint8_t)(len >> 24);
  out[2] = (uint8_t)(len >> 16);
  out[3] = (uint8_t)(len >> 8);
  out[4] = (uint8_t)len;
}

int grpc_wire_next(const uint8_t *data, size_t len, size_t *ret_len, Error *err) {
  if (len < GRPC_WIRE_HEAD)
    return 1;
  size_t of_message = (size_t)data[1] << 24 | (size_t)data[2] << 16 | (size_t)data[3] << 8 | data[4];
  if (data[0] != 0)
    return error_set(err, ERROR_INTERNAL, "the answer is compressed, which was not offered");
  if (of_message > GRPC_WIRE_MAX)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the answer has a message of %zu bytes, above %d", of_message,
                     GRPC_WIRE_MAX);
  *ret_len = of_message;
  return len - GRPC_WIRE_HEAD < of_message;
}

void grpc_wire_timeout(int64_t ms, char out[GRPC_WIRE_TIMEOUT]) {
  static const struct {
    int64_t ms;
    char unit;
  } UNITS[] = {{1, 'm'}, {1000, 'S'}, {60000, 'M'}, {3600000, 'H'}};
  size_t i = 0;
  int64_t n = ms;
  while (n > TIMEOUT_DIGITS_MAX && ++i < ARRAY_LEN(UNITS))
    n = ms / UNITS[i].ms + (ms % UNITS[i].ms != 0);
  if (n > TIMEOUT_DIGITS_MAX)
    n = TIMEOUT_DIGITS_MAX;
  i = i < ARRAY_LEN(UNITS) ? i : ARRAY_LEN(UNITS) - 1;
  snprintf(out, GRPC_WIRE_TIMEOUT, "%" PRId64 "%c", n, UNITS[i].unit);
}

bool grpc_wire_is_value(const char *value) {
  size_t len = strlen(value);
  for (size_t i = 0; i < len; i++)
    if (value[i] < ' ' || value[i] > '~')
      return false;
  return len == 0 || (value[0] != ' ' && value[len - 1] != ' ');
}

bool grpc_wire_is_grpc(const char *content_type) {
  if (!content_type || !str_starts_with(content_type, GRPC))
    return false;
  char next = content_type[strlen(GRPC)];
  return next == '\0' || next == '+' || next == ';';
}

const char *grpc_wire_field(const Http2Field *fields, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (str_equal(fields[i].name, name))
      return fields[i].value;
  return NULL;
}

/* ---- Statuses ---- */

ErrorKind grpc_wire_kind_of_http(int status) {
  switch (status) {
  case 400:
    return ERROR_INTERNAL;
  case 401:
    return ERROR_UNAUTHENTICATED;
  case 403:
    return ERROR_PERMISSION_DENIED;
  case 404:
    return ERROR_UNIMPLEMENTED;
  case 429:
  case 502:
  case 503:
  case 504:
    return ERROR_UNAVAILABLE;
  default:
    return ERROR_UNKNOWN;
  }
}

ErrorKind grpc_wire_kind_of_reset(uint32_t code) {
  enum { REFUSED_STREAM = 7, CANCEL = 8, ENHANCE_YOUR_CALM = 11, INADEQUATE_SECURITY = 12 };
  switch (code) {
  case REFUSED_STREAM:
    return ERROR_UNAVAILABLE;
  case CANCEL:
    return ERROR_CANCELLED;
  case ENHANCE_YOUR_CALM:
    return ERROR_RESOURCE_EXHAUSTED;
  case INADEQUATE_SECURITY:
    return ERROR_PERMISSION_DENIED;
  default:
    return ERROR_INTERNAL;
  }
}

static int digit(char c) {
  return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* grpc-message: percent-encoded; what is not is taken as it is. Into room, cut behind a whole character. */
static void decode_message(const char *text, char *out, size_t room) {
  size_t n = 0;
  for (; *text && n + 1 < room; n++) {
    bool coded = text[0] == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]);
    out[n] = coded ? (char)(16 * digit(text[1]) + digit(text[2])) : *text;
    /* the text of an error is a string of ours */
    if (!out[n])
      out[n] = '?';
    text += coded ? 3 : 1;
  }
  out[n] = '\0';
  if (*text)
    str_cut_utf8(out);
  str_repair_utf8(out);
}

/* Base64 with its padding or without; several values come with commas, of which the first counts. */
static void decode_details(const char *text, Buf *details) {
  size_t len = strcspn(text, ",");
  while (len > 0 && text[len - 1] == '=')
    len--;
  CLEANUP(buf_deinit) Buf padded = {0};
  if (buf_append(&padded, text, len) != 0 || buf_append(&padded, "===", (4 - len % 4) % 4) != 0)
    return;
  (void)!str_base64_decode(details, buf_str(&padded), padded.len, false);
}

void grpc_wire_status(const Http2Field *fields, size_t n, int http_status, Error *ret_status, Buf *details) {
  const char *status = grpc_wire_field(fields, n, "grpc-status");
  const char *message = grpc_wire_field(fields, n, "grpc-message");
  const char *coded = grpc_wire_field(fields, n, "grpc-status-details-bin");
  int64_t number = 0;
  *ret_status = (Error){.kind = ERROR_NONE};
  if (!status) {
    error_set(ret_status, grpc_wire_kind_of_http(http_status), "the answer has HTTP status %d and no gRPC status",
              http_status);
    return;
  }
  if (str_to_int64(status, 0, ERROR_UNAUTHENTICATED, &number) != 0)
    number = ERROR_UNKNOWN;
  if (number == 0)
    return;
  ret_status->kind = (ErrorKind)number;
  decode_message(message ? message : "", ret_status->message, sizeof ret_status->message);
  if (coded)
    decode_details(coded, details);
}
