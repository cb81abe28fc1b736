/* See kube_json.h. */
#include "lib/kube/kube_json.h"

#include <string.h>

/* All replacements are as long as what they replace. */
#define NUL_ESCAPE "\\u0000"
#define REPLACEMENT "\\ufffd"
#define INT_DIGITS 19

/* From behind the opening quote; returns the closing one (or the end). */
static char *mend_string(char *at, const char *end) {
  for (; at < end && *at != '"'; at++) {
    if (*at != '\\')
      continue;
    if (end - at >= 6 && memcmp(at, NUL_ESCAPE, 6) == 0)
      memcpy(at, REPLACEMENT, 6);
    at++;
  }
  return at;
}

/* A number of more digits than an int64_t surely holds becomes the largest one, and blanks. Fractions stay. */
static char *mend_number(char *at, const char *end) {
  char *digits = *at == '-' ? at + 1 : at, *stop = digits;
  while (stop < end && *stop >= '0' && *stop <= '9')
    stop++;
  if (stop < end && strchr(".eE", *stop)) {
    while (stop < end && *stop && strchr("0123456789.eE+-", *stop))
      stop++;
    return stop;
  }
  if (stop - digits > INT_DIGITS ||
      (stop - digits == INT_DIGITS && memcmp(digits, "9223372036854775807", INT_DIGITS) > 0)) {
    memset(digits, ' ', (size_t)(stop - digits));
    memcpy(digits, "9223372036854775807", INT_DIGITS);
  }
  return stop;
}

static void mend(char *text, size_t len) {
  const char *end = text + len;
  for (char *at = text; at < end;) {
    if (*at == '"')
      at = mend_string(at + 1, end) + 1;
    else if (*at == '-' || (*at >= '0' && *at <= '9'))
      at = mend_number(at, end);
    else
      at++;
  }
}

json_t *kube_json_parse(char *text, size_t len) {
  json_error_t why;
  json_t *value = json_loadb(text, len, 0, &why);
  if (value)
    return value;
  enum json_error_code code = json_error_code(&why);
  if (code != json_error_null_character && code != json_error_null_byte_in_key && code != json_error_numeric_overflow)
    return NULL;
  mend(text, len);
  return json_loadb(text, len, 0, &why);
}
