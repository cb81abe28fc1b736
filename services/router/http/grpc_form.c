/* See grpc_form.h. */
#include "services/router/http/grpc_form.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

enum { TIMEOUT_DIGITS = 8 };

/* Of one connection, by HTTP/2's rules or by what the router sets itself. */
static bool is_framing(const char *name) {
  static const char *const NAMES[] = {"connection",       "transfer-encoding", "host", "keep-alive",
                                      "proxy-connection", "upgrade",           "te",   "content-length"};
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
    if (strcasecmp(name, NAMES[i]) == 0)
      return true;
  return false;
}

int64_t grpc_form_timeout_ms(const char *value) {
  static const struct {
    char unit;
    int64_t ns;
  } UNITS[] = {
      {'n', 1}, {'u', 1000}, {'m', 1000000}, {'S', 1000000000}, {'M', 60 * 1000000000LL}, {'H', 3600 * 1000000000LL}};
  size_t digits = strspn(value, "0123456789");
  if (digits == 0 || digits > TIMEOUT_DIGITS || strlen(value) != digits + 1)
    return -1;
  int64_t n = str_leading_int64(value, 0);
  for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
    if (UNITS[i].unit != value[digits])
      continue;
    /* up to 99,999,999 hours, which have no room in nanoseconds */
    return UNITS[i].ns >= 1000000 ? n * (UNITS[i].ns / 1000000) : (n * UNITS[i].ns + 999999) / 1000000;
  }
  return -1;
}

static void add(GrpcForm *form, char *line, int64_t *timeout_ms) {
  char *colon = strstr(line, ": ");
  if (!colon)
    return;
  *colon = '\0';
  const char *value = colon + 2;
  if (strcasecmp(line, "grpc-timeout") == 0) {
    int64_t ms = grpc_form_timeout_ms(value);
    *timeout_ms = ms < 0 ? INT64_MAX : ms;
  } else if (!is_framing(line)) {
    form->fields[form->n_fields++] = (Http2Field){line, value};
  }
}

int64_t grpc_form_read(const char *head, GrpcForm *ret) {
  int64_t timeout_ms = INT64_MAX;
  size_t lines = 0;
  for (const char *at = head; (at = strstr(at, "\r\n")); at += 2)
    lines++;
  *ret = (GrpcForm){.text = str_dup(head), .fields = xcalloc(lines + 2, sizeof(Http2Field))};
  ret->fields[ret->n_fields++] = (Http2Field){"te", "trailers"};
  char *rest = ret->text, *first = strsep(&rest, "\r");
  char *path = strchr(first, ' ');
  ret->path = path ? path + 1 : "/";
  if (path)
    path[1 + strcspn(path + 1, " ")] = '\0';
  for (char *line; rest && (line = strsep(&rest, "\r"));)
    add(ret, line + (*line == '\n'), &timeout_ms);
  return timeout_ms;
}

void grpc_form_deinit(GrpcForm *form) {
  free(form->text);
  free(form->fields);
  *form = (GrpcForm){0};
}

size_t grpc_form_answer(const Http2Field *fields, size_t n, Http2Field *out) {
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (!is_framing(fields[i].name) || strcasecmp(fields[i].name, "content-length") == 0)
      out[kept++] = fields[i];
  return kept;
}

/* All but printable ASCII, and the sign itself; out has room for three times the text. */
static void encode(const char *text, char *out) {
  static const char HEX[] = "0123456789ABCDEF";
  for (; *text; text++) {
    uint8_t byte = (uint8_t)*text;
    bool plain = byte >= ' ' && byte <= '~' && byte != '%';
    *out++ = plain ? *text : '%';
    if (plain)
      continue;
    *out++ = HEX[byte >> 4];
    *out++ = HEX[byte & 15];
  }
  *out = '\0';
}

void grpc_form_status(const Error *err, GrpcStatusFields *ret) {
  *ret = (GrpcStatusFields){0};
  snprintf(ret->number, sizeof ret->number, "%d", (int)err->kind);
  encode(err->message, ret->message);
  ret->head[0] = (Http2Field){"content-type", "application/grpc"};
  ret->head[1] = (Http2Field){"grpc-status", ret->number};
  ret->head[2] = (Http2Field){"grpc-message", ret->message};
}

ErrorKind grpc_form_kind(int http_status) {
  switch (http_status) {
  case 400:
    return ERROR_INVALID_ARGUMENT;
  case 401:
    return ERROR_UNAUTHENTICATED;
  case 403:
    return ERROR_PERMISSION_DENIED;
  case 502:
    return ERROR_UNAVAILABLE;
  default:
    return ERROR_INTERNAL;
  }
}
