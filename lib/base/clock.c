/* See clock.h. */
#include "lib/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_us(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void) {
  return read_us(CLOCK_REALTIME) / 1000;
}
int64_t clock_wall_us(void) {
  return read_us(CLOCK_REALTIME);
}
int64_t clock_mono_ms(void) {
  return read_us(CLOCK_MONOTONIC) / 1000;
}
int64_t clock_mono_us(void) {
  return read_us(CLOCK_MONOTONIC);
}

void clock_format_rfc3339(int64_t wall_ms, char *out, size_t out_len) {
  int64_t ms = wall_ms % 1000;
  if (ms < 0)
    ms += 1000;
  time_t s = (time_t)((wall_ms - ms) / 1000);
  struct tm tm;
  char date[32];
  gmtime_r(&s, &tm);
  strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out, out_len, "%s.%03dZ", date, (int)ms);
}

/* n digits as a number; -1: they are none. */
static int digits(const char *s, int n) {
  int value = 0;
  for (int i = 0; i < n; i++) {
    if (s[i] < '0' || s[i] > '9')
      return -1;
    value = value * 10 + (s[i] - '0');
  }
  return value;
}

/* "Z", "+01:00": minutes east of UTC; -1: none of these. */
static int offset_of(const char *s, int *ret_minutes) {
  *ret_minutes = 0;
  if (strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
    return 0;
  if ((*s != '+' && *s != '-') || strlen(s) != 6 || s[3] != ':')
    return -1;
  int hours = digits(s + 1, 2), minutes = digits(s + 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return -1;
  *ret_minutes = (*s == '-' ? -1 : 1) * (hours * 60 + minutes);
  return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_wall_ms) {
  static const char SHAPE[] = "dddd-dd-ddTdd:dd:dd";
  for (size_t i = 0; i < sizeof SHAPE - 1; i++)
    if (SHAPE[i] == 'd' ? digits(text + i, 1) < 0 : text[i] != SHAPE[i])
      return -1;
  const struct tm given = {.tm_year = digits(text, 4) - 1900,
                           .tm_mon = digits(text + 5, 2) - 1,
                           .tm_mday = digits(text + 8, 2),
                           .tm_hour = digits(text + 11, 2),
                           .tm_min = digits(text + 14, 2),
                           .tm_sec = digits(text + 17, 2)};
  struct tm tm = given;
  time_t seconds = timegm(&tm);
  /* the 31st of a short month, or hour 24, would be a time all the same, of another day */
  if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday || tm.tm_hour != given.tm_hour ||
      tm.tm_min != given.tm_min || given.tm_sec > 59)
    return -1;
  const char *rest = text + sizeof SHAPE - 1;
  if (*rest == '.') {
    size_t n = strspn(rest + 1, "0123456789");
    if (n == 0)
      return -1;
    rest += 1 + n;
  }
  int minutes;
  if (offset_of(rest, &minutes) != 0)
    return -1;
  *ret_wall_ms = ((int64_t)seconds - (int64_t)minutes * 60) * 1000;
  return 0;
}
