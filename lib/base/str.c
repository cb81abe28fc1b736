/* See str.h. Character classes are spelled out: the locale must not change what a valid name is. */
#include "lib/base/str.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

static bool is_lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
static bool is_alnum(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

bool str_equal(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}
bool str_starts_with(const char *s, const char *prefix) {
  return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253 };

static bool is_label(const char *s, size_t len, size_t max) {
  if (len == 0 || len > max || s[0] == '-' || s[len - 1] == '-')
    return false;
  for (size_t i = 0; i < len; i++)
    if (!is_lower_alnum(s[i]) && s[i] != '-')
      return false;
  return true;
}

bool str_is_dns_label(const char *s) {
  return s && is_label(s, strlen(s), LABEL_MAX);
}

static bool is_subdomain(const char *s, size_t len, size_t label_max) {
  if (len == 0 || len > SUBDOMAIN_MAX)
    return false;
  for (const char *end = s + len; s <= end;) {
    const char *dot = memchr(s, '.', (size_t)(end - s));
    if (!dot)
      dot = end;
    if (!is_label(s, (size_t)(dot - s), label_max))
      return false;
    s = dot + 1;
  }
  return true;
}

bool str_is_dns_subdomain(const char *s) {
  return s && is_subdomain(s, strlen(s), LABEL_MAX);
}

bool str_is_object_name(const char *s) {
  return s && is_subdomain(s, strlen(s), SUBDOMAIN_MAX);
}

/* The name part of a label key, and a label value that is not empty. */
static bool is_qualified(const char *s, size_t len) {
  if (len == 0 || len > 63 || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
    return false;
  for (size_t i = 0; i < len; i++)
    if (!is_alnum(s[i]) && s[i] != '-' && s[i] != '_' && s[i] != '.')
      return false;
  return true;
}

bool str_is_label_key(const char *s) {
  if (!s)
    return false;
  const char *slash = strchr(s, '/');
  if (slash && !is_subdomain(s, (size_t)(slash - s), LABEL_MAX))
    return false;
  const char *name = slash ? slash + 1 : s;
  return is_qualified(name, strlen(name));
}

bool str_is_label_value(const char *s) {
  return s && (*s == 0 || is_qualified(s, strlen(s)));
}

bool str_is_env_name(const char *s) {
  if (!s || !(is_alnum(*s) || *s == '_') || (*s >= '0' && *s <= '9'))
    return false;
  for (; *s; s++)
    if (!is_alnum(*s) && *s != '_')
      return false;
  return true;
}

bool str_is_utf8(const void *data, size_t len) {
  const uint8_t *p = data, *end = p + len;
  while (p < end) {
    uint8_t c = *p++;
    if (c == 0)
      return false;
    if (c < 0x80)
      continue;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4 || end - p < more)
      return false;
    /* second byte: no overlong form, no surrogate, nothing above U+10FFFF */
    uint8_t lo = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
    uint8_t hi = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
    if (*p < lo || *p > hi)
      return false;
    for (p++; --more; p++)
      if ((*p & 0xc0) != 0x80)
        return false;
  }
  return true;
}

void str_cut_utf8(char *s) {
  size_t len = strlen(s), at = len;
  while (at > 0 && len - at < 3 && ((uint8_t)s[at - 1] & 0xc0) == 0x80)
    at--;
  uint8_t lead = at > 0 ? (uint8_t)s[at - 1] : 0;
  size_t whole = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (whole > len - at + 1)
    s[at - 1] = '\0';
}

void str_repair_utf8(char *s) {
  for (char *at = s; *at;) {
    size_t n = (*at & 0xe0) == 0xc0 ? 2 : (*at & 0xf0) == 0xe0 ? 3 : (*at & 0xf8) == 0xf0 ? 4 : 1;
    if (strnlen(at, n) < n || !str_is_utf8(at, n)) {
      n = 1;
      *at = '?';
    }
    at += n;
  }
}

int str_to_int64(const char *s, int64_t min, int64_t max, int64_t *ret_value) {
  if (str_empty(s) || !(*s == '-' || (*s >= '0' && *s <= '9')))
    return -1;
  char *end;
  errno = 0;
  long long v = strtoll(s, &end, 10);
  if (errno || *end || end == s || v < min || v > max)
    return -1;
  *ret_value = v;
  return 0;
}

int64_t str_leading_int64(const char *s, int64_t otherwise) {
  if (!s || !(*s == '-' || (*s >= '0' && *s <= '9')))
    return otherwise;
  char *end;
  errno = 0;
  long long v = strtoll(s, &end, 10);
  return errno || end == s ? otherwise : v;
}

/* One number with its unit; *s behind it. */
static int duration_part(const char **s, bool is_first, double *ret_ms) {
  static const struct {
    const char *unit;
    double ms;
  } UNITS[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
  char *end;
  if (**s < '0' || **s > '9')
    return -1;
  double v = strtod(*s, &end);
  /* no exponent and no hexadecimal, which strtod takes as well */
  if (end != *s + strspn(*s, "0123456789."))
    return -1;
  if (is_first && !*end) {
    *s = end;
    return *ret_ms = v * 1000, 0;
  }
  for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
    if (!str_starts_with(end, UNITS[i].unit))
      continue;
    *s = end + strlen(UNITS[i].unit);
    return *ret_ms = v * UNITS[i].ms, 0;
  }
  return -1;
}

int str_to_duration_ms(const char *s, int64_t *ret_ms) {
  double ms = 0, part;
  if (str_empty(s))
    return -1;
  for (bool is_first = true; *s; is_first = false) {
    if (duration_part(&s, is_first, &part) != 0)
      return -1;
    ms += part;
  }
  /* 2^53: all whole milliseconds below it are exact */
  if (!(ms >= 0 && ms < 9007199254740992.0))
    return -1;
  *ret_ms = (int64_t)(ms + 0.5);
  return 0;
}

char *str_ndup(const char *s, size_t n) {
  char *p = xmalloc(n + 1);
  memcpy(p, s, n);
  p[n] = 0;
  return p;
}

char *str_dup(const char *s) {
  return str_ndup(s, strlen(s));
}

char *str_printf(const char *fmt, ...) {
  char *p;
  va_list ap;
  va_start(ap, fmt);
  if (vasprintf(&p, fmt, ap) < 0)
    abort();
  va_end(ap);
  return p;
}

void str_freep(char **s) {
  free(*s);
  *s = NULL;
}

uint32_t str_fnv1a32(const void *data, size_t len) {
  /* offset basis and prime of the 32-bit variant */
  uint32_t h = 2166136261u;
  for (const uint8_t *p = data, *end = p + len; p < end; p++)
    h = (h ^ *p) * 16777619u;
  return h;
}
