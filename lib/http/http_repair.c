/* See http_repair.h. */
#include "lib/http/http_repair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

static void put(Buf *out, const char *s, size_t len) {
  if (buf_append(out, s, len) != 0)
    abort();
}

/* "http/1.1 200 OK" is HTTP/1.1 to browsers. */
static HttpRepaired status_line(HttpRepair *r, const char *line, size_t len, Buf *out) {
  r->old = len > 8 && line[7] == '0';
  if (len < 5 || strncasecmp(line, "HTTP/", 5) != 0 || memcmp(line, "HTTP/", 5) == 0)
    return HTTP_LINE_AS_IT_IS;
  put(out, "HTTP/", 5);
  put(out, line + 5, len - 5);
  return HTTP_LINE_MENDED;
}

static bool is_named(const char *line, size_t name_len, const char *name) {
  return name_len == strlen(name) && strncasecmp(line, name, name_len) == 0;
}

/* Whether a field says nothing that is not said already, or nothing at all. */
static bool is_idle(HttpRepair *r, const char *line, size_t name_len, const char *value, size_t value_len) {
  if (is_named(line, name_len, "Transfer-Encoding"))
    return r->old || is_named(value, value_len, "identity");
  if (!is_named(line, name_len, "Content-Length") || value_len == 0 || value_len >= sizeof r->length)
    return false;
  bool again = strlen(r->length) == value_len && memcmp(r->length, value, value_len) == 0;
  snprintf(r->length, sizeof r->length, "%.*s", (int)value_len, value);
  return again;
}

/* One blank in the place of the line's end and those behind it. */
static HttpRepaired fold(const HttpRepair *r, const char *line, size_t len, Buf *out) {
  while (len && is_blank(*line))
    line++, len--;
  if (!r->kept || len == 0)
    return HTTP_LINE_DROPPED;
  put(out, " ", 1);
  put(out, line, len);
  return HTTP_LINE_FOLDED;
}

/* len: without the line's end. */
static HttpRepaired field(HttpRepair *r, const char *line, size_t len, Buf *out) {
  if (len == 0)
    return HTTP_LINE_AS_IT_IS;
  if (is_blank(*line))
    return fold(r, line, len, out);
  const char *colon = memchr(line, ':', len);
  r->kept = false;
  if (!colon)
    return HTTP_LINE_DROPPED;
  size_t name_len = (size_t)(colon - line), value_len = len - name_len - 1;
  const char *value = colon + 1;
  while (name_len && is_blank(line[name_len - 1]))
    name_len--;
  while (value_len && is_blank(*value))
    value++, value_len--;
  while (value_len && is_blank(value[value_len - 1]))
    value_len--;
  if (!http_line_is_name(line, name_len))
    return HTTP_LINE_DROPPED;
  if (is_idle(r, line, name_len, value, value_len))
    return HTTP_LINE_DROPPED;
  r->kept = true;
  if (line + name_len == colon)
    return HTTP_LINE_AS_IT_IS;
  put(out, line, name_len);
  put(out, colon, len - (size_t)(colon - line));
  return HTTP_LINE_MENDED;
}

HttpRepaired http_repair(HttpRepair *r, HttpLine kind, const char *line, size_t len, Buf *out) {
  HttpRepaired done = HTTP_LINE_AS_IT_IS;
  size_t bare = len - 1;
  while (bare && line[bare - 1] == '\r')
    bare--;
  out->len = 0;
  if (kind == HTTP_LINE_STATUS && bare == 0)
    return HTTP_LINE_DROPPED;
  if (kind == HTTP_LINE_STATUS)
    done = status_line(r, line, bare, out);
  else if (kind == HTTP_LINE_FIELD)
    done = field(r, line, bare, out);
  /* programs on Windows write their CRLF through a stream that makes it CR CR LF; others write LF alone */
  if (done == HTTP_LINE_AS_IT_IS && len != bare + 2) {
    put(out, line, bare);
    done = HTTP_LINE_MENDED;
  }
  if (done == HTTP_LINE_MENDED || done == HTTP_LINE_FOLDED)
    put(out, "\r\n", 2);
  return done;
}
