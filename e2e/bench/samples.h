/* Measured times and their percentiles. */
#ifndef SANDPLANE_E2E_BENCH_SAMPLES_H_
#define SANDPLANE_E2E_BENCH_SAMPLES_H_

#include <stddef.h>
#include <stdint.h>

typedef struct Samples {
  int64_t *us;
  size_t n, cap;
} Samples;

void samples_add(Samples *s, int64_t us);
/* Of all samples, by nearest rank, in milliseconds; 0 when there are none. Sorts. */
double samples_ms(Samples *s, double percentile);
void samples_deinit(Samples *s);

/* Processor time of this process so far: what a load generator takes itself. */
int64_t samples_cpu_us(void);

#endif
