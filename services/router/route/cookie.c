/* See cookie.h. Browsers write "a=1; b=2"; others leave the blank out, or write more of them. */
#include "services/router/route/cookie.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

bool cookie_is_name(const char *s) {
  for (const char *c = s; *c; c++)
    if (!isalnum((unsigned char)*c) && !strchr("!#$%&'*+-.^_`|~", *c))
      return false;
  return !str_empty(s);
}

bool cookie_is_value(const char *s, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (s[i] <= ' ' || s[i] > '~' || strchr("\",;\\", s[i]))
      return false;
  return len > 0;
}

/* One pair, without blanks around it. */
static const char *next_pair(const char **at, size_t *ret_len) {
  const char *s = *at + strspn(*at, " \t;");
  size_t n = strcspn(s, ";");
  *at = s[n] ? s + n + 1 : NULL;
  while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
    n--;
  *ret_len = n;
  return s;
}

/* The value of a pair of that name, NULL: it has another. */
static const char *value_of(const char *pair, size_t len, const char *name, size_t *ret_len) {
  const char *equals = memchr(pair, '=', len);
  size_t n = equals ? (size_t)(equals - pair) : len, wanted = strlen(name);
  while (n > 0 && (pair[n - 1] == ' ' || pair[n - 1] == '\t'))
    n--;
  if (!equals || n != wanted || strncmp(pair, name, n) != 0)
    return NULL;
  const char *value = equals + 1;
  while (value < pair + len && (*value == ' ' || *value == '\t'))
    value++;
  *ret_len = (size_t)(pair + len - value);
  return value;
}

const char *cookie_next(const char **at, const char *name, size_t *ret_len) {
  while (*at) {
    size_t n;
    const char *pair = next_pair(at, &n), *value = value_of(pair, n, name, ret_len);
    if (value)
      return value;
  }
  return NULL;
}

bool cookie_without(Buf *out, const char *field, const char *name) {
  bool any = false;
  for (const char *at = field; at;) {
    size_t n, len;
    const char *pair = next_pair(&at, &n);
    if (n == 0 || value_of(pair, n, name, &len))
      continue;
    if ((any && buf_append_str(out, "; ") != 0) || buf_append(out, pair, n) != 0)
      abort(); /* no more than the field */
    any = true;
  }
  return any;
}
