/* See log.h. A line is built on the stack and written with one write(2), so that lines of several processes
 * on one descriptor do not mix. Long values are cut: a log line is not a place for data. */
#include "lib/base/log.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

/* Below PIPE_BUF (4096), so that a line is written whole. */
#define LOG_LINE_MAX 4000
/* Room for closing what is open when a line is full. */
#define LOG_TAIL 8

/* Set once before threads start (log_setup); a process has one log. */
static struct {
  const char *service;
  LogLevel min_level;
} log_config = {"", LOG_INFO};

typedef struct Line {
  char text[LOG_LINE_MAX];
  size_t len;
} Line;

static void put(Line *line, const char *s, size_t n) {
  size_t room = LOG_LINE_MAX - LOG_TAIL - line->len;
  if (n > room)
    n = room;
  memcpy(line->text + line->len, s, n);
  line->len += n;
}

/* Nearly every string: nothing in it to escape, and short enough. */
static bool put_plain_string(Line *line, const char *s) {
  size_t len = 0;
  for (; s[len]; len++)
    if (s[len] < ' ' || s[len] > '~' || s[len] == '"' || s[len] == '\\')
      return false;
  if (line->len + len + 2 > LOG_LINE_MAX - LOG_TAIL - 8)
    return false;
  line->text[line->len++] = '"';
  memcpy(line->text + line->len, s, len);
  line->len += len;
  line->text[line->len++] = '"';
  return true;
}

static void put_json_string(Line *line, const char *s) {
  if (put_plain_string(line, s))
    return;
  put(line, "\"", 1);
  bool utf8 = str_is_utf8(s, strlen(s));
  for (; *s && line->len < LOG_LINE_MAX - LOG_TAIL - 8; s++) {
    unsigned char c = (unsigned char)*s;
    char esc[8];
    if (c == '"' || c == '\\') {
      esc[0] = '\\';
      esc[1] = (char)c;
      put(line, esc, 2);
    } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
      put(line, esc, (size_t)snprintf(esc, sizeof esc, "\\u%04x", c));
    } else {
      put(line, s, 1);
    }
  }
  /* a value that was cut in the middle of a character loses that character's first bytes as well */
  while (*s && line->len > 0 && ((unsigned char)line->text[line->len - 1] & 0xc0) == 0x80)
    line->len--;
  if (*s && line->len > 0 && (unsigned char)line->text[line->len - 1] >= 0xc0)
    line->len--;
  line->text[line->len++] = '"';
}

static void put_field(Line *line, const LogField *f) {
  char number[40];
  /* a field that cannot fit is left out whole: the line stays valid JSON */
  if (line->len + strlen(f->key) + sizeof number + 16 > LOG_LINE_MAX - LOG_TAIL)
    return;
  put(line, ",", 1);
  put_json_string(line, f->key);
  put(line, ":", 1);
  switch (f->type) {
  case LOG_FIELD_STR:
    put_json_string(line, f->s ? f->s : "");
    break;
  case LOG_FIELD_INT:
    put(line, number, (size_t)snprintf(number, sizeof number, "%lld", (long long)f->i));
    break;
  case LOG_FIELD_DOUBLE:
    put(line, number, (size_t)snprintf(number, sizeof number, isfinite(f->d) ? "%.6g" : "null", f->d));
    break;
  case LOG_FIELD_BOOL:
    put(line, f->b ? "true" : "false", f->b ? 4 : 5);
    break;
  }
}

void log_setup(const char *service, LogLevel min_level) {
  log_config.service = service;
  log_config.min_level = min_level;
}

static const char *const LEVELS[] = {"debug", "info", "warn", "error"};

bool log_level_parse(const char *s, LogLevel *ret_level) {
  for (size_t i = 0; i < ARRAY_LEN(LEVELS); i++) {
    if (strcmp(s, LEVELS[i]) != 0)
      continue;
    *ret_level = (LogLevel)i;
    return true;
  }
  return false;
}

/* Calendar arithmetic once a second, not once a line. */
static const char *time_now(void) {
  static _Thread_local char text[32];
  static _Thread_local int64_t second = -1;
  int64_t ms = clock_wall_ms();
  if (ms / 1000 != second) {
    second = ms / 1000;
    clock_format_rfc3339(second * 1000, text, sizeof text);
  }
  char *fraction = strchr(text, '.') + 1;
  for (int i = 2, rest = (int)(ms % 1000); i >= 0; i--, rest /= 10)
    fraction[i] = (char)('0' + rest % 10);
  return text;
}

void log_write(LogLevel level, const char *event, const LogField *fields, size_t n_fields) {
  if (level < log_config.min_level)
    return;
  /* not cleared: 4000 bytes a line */
  Line line;
  line.len = 0;
  put(&line, "{\"time\":", 8);
  put_json_string(&line, time_now());
  put_field(&line, &LOG_STR("level", LEVELS[level]));
  put_field(&line, &LOG_STR("service", log_config.service));
  put_field(&line, &LOG_STR("event", event));
  for (size_t i = 0; i < n_fields; i++)
    put_field(&line, &fields[i]);
  line.text[line.len++] = '}';
  line.text[line.len++] = '\n';
  /* a log that cannot be written must not stop the service */
  if (write(STDERR_FILENO, line.text, line.len) < 0)
    return;
}
