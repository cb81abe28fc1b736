/* See http_line.h. */
#include "lib/http/http_line.h"

#include <stdbool.h>
#include <string.h>

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
static bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* tchar of RFC 9110 */
static bool is_token(char c) {
  return is_digit(c) || is_alpha(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_line_is_name(const char *name, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (!is_token(name[i]))
      return false;
  return len > 0;
}

static int bad(Error *err, const char *what) {
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s", what);
}

static bool is_version(const char *s) {
  return memcmp(s, "HTTP/1.", 7) == 0 && (s[7] == '0' || s[7] == '1');
}

/* "method SP target SP HTTP/1.x" */
static int check_request(const char *line, size_t len, Error *err) {
  const char *target = memchr(line, ' ', len);
  if (!target || target == line)
    return bad(err, "malformed request line");
  target++;
  const char *end = line + len;
  const char *version = memchr(target, ' ', (size_t)(end - target));
  if (!version || version == target || end - version != 9)
    return bad(err, "malformed request line");
  if (!is_version(version + 1))
    return bad(err, "unsupported HTTP version");
  if (memchr(line, '\t', len))
    return bad(err, "tab in the request line");
  return 0;
}

/* "HTTP/1.x SP 3DIGIT [SP reason]" */
static int check_status(const char *line, size_t len, Error *err) {
  if (len < 12 || !is_version(line))
    return bad(err, "malformed status line");
  if (line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11]) || line[9] == '0')
    return bad(err, "malformed status line");
  if (len > 12 && line[12] != ' ')
    return bad(err, "malformed status line");
  return 0;
}

static int check_field(const char *line, size_t len, Error *err) {
  if (len == 0)
    return 0;
  if (*line == ' ' || *line == '\t')
    return bad(err, "folded header line");
  const char *colon = memchr(line, ':', len);
  if (!colon || colon == line)
    return bad(err, "header line without a name");
  for (const char *p = line; p < colon; p++)
    if (!is_token(*p))
      return bad(err, *p == ' ' || *p == '\t' ? "space in a header name" : "malformed header name");
  return 0;
}

/* 1*HEXDIG, blanks, then nothing or an extension */
static int check_chunk(const char *line, size_t len, Error *err) {
  size_t i = 0;
  while (i < len && is_hex(line[i]))
    i++;
  if (i == 0)
    return bad(err, "malformed chunk size");
  while (i < len && (line[i] == ' ' || line[i] == '\t'))
    i++;
  if (i < len && line[i] != ';')
    return bad(err, "malformed chunk size");
  return 0;
}

int http_line_check(HttpLine kind, const char *line, size_t len, Error *err) {
  if (len < 2 || line[len - 2] != '\r')
    return bad(err, "line ends with a bare LF");
  len -= 2;
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)line[i];
    if (c == '\r')
      return bad(err, "bare CR");
    if ((c < 0x20 && c != '\t') || c == 0x7f)
      return bad(err, "control character in a header");
  }
  switch (kind) {
  case HTTP_LINE_REQUEST:
    return check_request(line, len, err);
  case HTTP_LINE_STATUS:
    return check_status(line, len, err);
  case HTTP_LINE_FIELD:
    return check_field(line, len, err);
  case HTTP_LINE_FOLD:
    return 0;
  case HTTP_LINE_CHUNK:
    return check_chunk(line, len, err);
  }
  return bad(err, "malformed line");
}
