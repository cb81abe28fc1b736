/* Every sample is kept: a benchmark's run is short, and percentiles of buckets are guesses. */
#include "e2e/bench/samples.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "lib/base/alloc.h"

void samples_add(Samples *s, int64_t us) {
  if (s->n == s->cap) {
    s->cap = s->cap ? s->cap * 2 : 1024;
    s->us = xrealloc(s->us, s->cap * sizeof *s->us);
  }
  s->us[s->n++] = us;
}

static int compare(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

double samples_ms(Samples *s, double percentile) {
  if (s->n == 0)
    return 0;
  qsort(s->us, s->n, sizeof *s->us, compare);
  size_t rank = (size_t)((double)s->n * percentile / 100.0);
  if (rank >= s->n)
    rank = s->n - 1;
  return (double)s->us[rank] / 1000.0;
}

void samples_deinit(Samples *s) {
  free(s->us);
}

static int64_t micros(struct timeval t) {
  return (int64_t)t.tv_sec * 1000000 + t.tv_usec;
}

int64_t samples_cpu_us(void) {
  struct rusage use;
  if (getrusage(RUSAGE_SELF, &use))
    return 0;
  return micros(use.ru_utime) + micros(use.ru_stime);
}
