/* See clock.h. */
#include "lib/base/clock.h"

#include <stdio.h>
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
