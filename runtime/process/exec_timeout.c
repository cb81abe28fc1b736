/* See exec_timeout.h. Numbers are what Python's float() takes, as in the runtime that the variable comes from. */
#include "runtime/process/exec_timeout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLANK " \t\r\n\f\v"

bool exec_timeout_parse(const char *text, int64_t *ret_ms) {
  char *end;
  text += strspn(text, BLANK);
  /* strtod takes hexadecimal, "inf" and "nan" as well */
  const char *stop = text + strspn(text, "0123456789.eE+-");
  double seconds = strtod(text, &end);
  if (end == text || end != stop || stop[strspn(stop, BLANK)] || !isfinite(seconds) || seconds <= 0)
    return false;
  *ret_ms = exec_timeout_ms(seconds);
  return true;
}

int64_t exec_timeout_ms(double seconds) {
  double ms = seconds * 1000;
  return ms < 1 ? 1 : ms > EXEC_TIMEOUT_MAX_MS ? EXEC_TIMEOUT_MAX_MS : (int64_t)ms;
}
