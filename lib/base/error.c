/* See error.h. The names are those of google/rpc/code.proto. */
#include "lib/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

static const char *const NAMES[] = {
    [ERROR_NONE] = "OK",
    [ERROR_CANCELLED] = "CANCELLED",
    [ERROR_UNKNOWN] = "UNKNOWN",
    [ERROR_INVALID_ARGUMENT] = "INVALID_ARGUMENT",
    [ERROR_DEADLINE_EXCEEDED] = "DEADLINE_EXCEEDED",
    [ERROR_NOT_FOUND] = "NOT_FOUND",
    [ERROR_ALREADY_EXISTS] = "ALREADY_EXISTS",
    [ERROR_PERMISSION_DENIED] = "PERMISSION_DENIED",
    [ERROR_RESOURCE_EXHAUSTED] = "RESOURCE_EXHAUSTED",
    [ERROR_FAILED_PRECONDITION] = "FAILED_PRECONDITION",
    [ERROR_ABORTED] = "ABORTED",
    [ERROR_OUT_OF_RANGE] = "OUT_OF_RANGE",
    [ERROR_UNIMPLEMENTED] = "UNIMPLEMENTED",
    [ERROR_INTERNAL] = "INTERNAL",
    [ERROR_UNAVAILABLE] = "UNAVAILABLE",
    [ERROR_DATA_LOSS] = "DATA_LOSS",
    [ERROR_UNAUTHENTICATED] = "UNAUTHENTICATED",
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
  return (size_t)kind < ARRAY_LEN(NAMES) ? NAMES[kind] : "UNKNOWN";
}
