/* See error.h. The names and the HTTP mapping are those of google/rpc/code.proto. */
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

static const struct {
  const char *name;
  int http;
} KINDS[] = {
    [ERROR_NONE] = {"OK", 200},
    [ERROR_CANCELLED] = {"CANCELLED", 499},
    [ERROR_UNKNOWN] = {"UNKNOWN", 500},
    [ERROR_INVALID_ARGUMENT] = {"INVALID_ARGUMENT", 400},
    [ERROR_DEADLINE_EXCEEDED] = {"DEADLINE_EXCEEDED", 504},
    [ERROR_NOT_FOUND] = {"NOT_FOUND", 404},
    [ERROR_ALREADY_EXISTS] = {"ALREADY_EXISTS", 409},
    [ERROR_PERMISSION_DENIED] = {"PERMISSION_DENIED", 403},
    [ERROR_RESOURCE_EXHAUSTED] = {"RESOURCE_EXHAUSTED", 429},
    [ERROR_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 400},
    [ERROR_ABORTED] = {"ABORTED", 409},
    [ERROR_OUT_OF_RANGE] = {"OUT_OF_RANGE", 400},
    [ERROR_UNIMPLEMENTED] = {"UNIMPLEMENTED", 501},
    [ERROR_INTERNAL] = {"INTERNAL", 500},
    [ERROR_UNAVAILABLE] = {"UNAVAILABLE", 503},
    [ERROR_DATA_LOSS] = {"DATA_LOSS", 500},
    [ERROR_UNAUTHENTICATED] = {"UNAUTHENTICATED", 401},
};

static void fill(Error *err, ErrorKind kind, const char *field, const char *fmt, va_list ap) {
  if (!err)
    return;
  *err = (Error){.kind = kind};
  snprintf(err->field, sizeof err->field, "%s", field);
  vsnprintf(err->message, sizeof err->message, fmt, ap);
  str_cut_utf8(err->message);
}

/* A name in parentheses is not the macro of error.h. */
int(error_set)(Error *err, ErrorKind kind, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fill(err, kind, "", fmt, ap);
  va_end(ap);
  return -1;
}

int(error_field)(Error *err, const char *field, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fill(err, ERROR_INVALID_ARGUMENT, field, fmt, ap);
  va_end(ap);
  return -1;
}

int(error_prefix)(Error *err, const char *fmt, ...) {
  if (!err)
    return -1;
  char old[sizeof err->message];
  memcpy(old, err->message, sizeof old);
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof err->message)
    snprintf(err->message + n, sizeof err->message - (size_t)n, ": %s", old);
  str_cut_utf8(err->message);
  return -1;
}

const char *error_kind_name(ErrorKind kind) {
  return (size_t)kind < ARRAY_LEN(KINDS) ? KINDS[kind].name : "UNKNOWN";
}

int error_http_status(ErrorKind kind) {
  return (size_t)kind < ARRAY_LEN(KINDS) ? KINDS[kind].http : 500;
}
