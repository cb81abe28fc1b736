/* See disposition.h. */
#include "runtime/process/disposition.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* At a value: takes it into out (NULL: nowhere) and returns what is behind it; NULL: it does not fit. */
static const char *take_value(const char *p, char *out, size_t max) {
  bool quoted = *p == '"';
  size_t n = 0;
  for (p += quoted; *p && (quoted ? *p != '"' : *p != ';'); p++) {
    if (quoted && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
      p++;
    if (out && n + 1 >= max)
      return NULL;
    if (out)
      out[n] = *p;
    n++;
  }
  while (out && !quoted && n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\t'))
    n--;
  if (out)
    out[n] = 0;
  return p + (quoted && *p);
}

bool disposition_parameter(const char *header, const char *name, char *out, size_t max) {
  size_t len = strlen(name);
  for (const char *p = strchr(header, ';'); p; p = strchr(p, ';')) {
    p += 1 + strspn(p + 1, " \t");
    size_t n = strcspn(p, "=; \t");
    const char *equals = p + n + strspn(p + n, " \t");
    if (*equals != '=')
      continue;
    const char *value = equals + 1 + strspn(equals + 1, " \t");
    if (n == len && strncasecmp(p, name, len) == 0)
      return take_value(value, out, max) != NULL;
    /* a semicolon within quotes ends nothing */
    p = take_value(value, NULL, 0);
  }
  return false;
}

/* ISO 8859-1 into UTF-8. */
static bool widen(const char *in, char *out, size_t max) {
  size_t n = 0;
  for (; *in; in++) {
    unsigned char c = (unsigned char)*in;
    if (n + 3 > max)
      return false;
    if (c >= 0x80)
      out[n++] = (char)(0xc0 | c >> 6);
    out[n++] = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
  }
  out[n] = 0;
  return true;
}

/* In place; a percent sign that begins no byte stays, as Python's unquote leaves it. */
static void unquote(char *s) {
  char *to = s;
  for (; *s; s++) {
    char hex[3] = {0}, *end = hex;
    if (*s == '%' && s[1] && s[2]) {
      memcpy(hex, s + 1, 2);
      long c = strspn(hex, "0123456789abcdefABCDEF") == 2 ? strtol(hex, &end, 16) : 0;
      if (c > 0) {
        *to++ = (char)c;
        s += 2;
        continue;
      }
    }
    *to++ = *s;
  }
  *to = 0;
}

/* charset'language'bytes */
static bool extended(const char *header, char *out, size_t max) {
  char *text = xmalloc(max);
  bool ok = disposition_parameter(header, "filename*", text, max);
  char *language = ok ? strchr(text, '\'') : NULL, *bytes = language ? strchr(language + 1, '\'') : NULL;
  if (bytes) {
    *language = 0;
    unquote(++bytes);
    bool utf8 = strcasecmp(text, "utf-8") == 0 && str_is_utf8(bytes, strlen(bytes));
    if (utf8)
      memcpy(out, bytes, strlen(bytes) + 1);
    ok = utf8 || (strcasecmp(text, "iso-8859-1") == 0 && widen(bytes, out, max));
  }
  free(text);
  return ok && bytes && *out;
}

bool disposition_filename(const char *header, char *out, size_t max) {
  if (extended(header, out, max))
    return true;
  if (!disposition_parameter(header, "filename", out, max))
    return false;
  if (!str_is_utf8(out, strlen(out))) {
    CLEANUP(str_freep) char *latin = str_dup(out);
    if (!widen(latin, out, max))
      return false;
  }
  const char *last = strrchr(out, '\\');
  if (last && (strncmp(out + 1, ":\\", 2) == 0 || strncmp(out, "\\\\", 2) == 0))
    memmove(out, last + 1, strlen(last + 1) + 1);
  return true;
}
