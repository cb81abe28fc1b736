/* Any unary method with a fixed payload: depth calls under way at all times, until count are answered. */
#include <stdio.h>
#include <stdlib.h>

#include "e2e/bench/load.h"
#include "e2e/bench/samples.h"
#include "lib/base/clock.h"

typedef struct Run {
  LoadClient *client;
  const LoadConfig *config;
  uint8_t *payload;
  int64_t left;
  int64_t errors;
  Samples samples;
} Run;

static void next(Run *run);

static void on_answer(void *arg, const LoadAnswer *answer) {
  Run *run = arg;
  if (answer->status != 0 && run->errors++ == 0) {
    fprintf(stderr, "load: %s: status %d: %s\n", run->config->method, answer->status, answer->message);
  }
  samples_add(&run->samples, answer->us);
  next(run);
}

static void next(Run *run) {
  if (run->left-- <= 0)
    return;
  load_client_call(run->client, run->config->method, run->payload, (size_t)run->config->payload_bytes, on_answer, run);
}

static void run_all(Run *run, int64_t count) {
  run->left = count;
  for (int64_t i = 0; i < run->config->depth && i < count; i++)
    next(run);
  load_client_run(run->client);
}

int load_unary(LoadClient *client, const LoadConfig *config) {
  Run run = {.client = client, .config = config, .payload = calloc(1, (size_t)config->payload_bytes + 1)};
  if (!run.payload)
    abort();
  run_all(&run, config->warmup);
  run.samples.n = 0;
  int64_t start = clock_mono_us(), cpu = samples_cpu_us();
  run_all(&run, config->count);
  double seconds = (double)(clock_mono_us() - start) / 1e6;
  printf("{\"mode\":\"unary\",\"depth\":%lld,\"calls\":%zu,\"errors\":%lld,\"rate\":%.0f,\"p50_ms\":%.3f,"
         "\"p99_ms\":%.3f,\"cpu_us\":%.1f}\n",
         (long long)config->depth, run.samples.n, (long long)run.errors, (double)run.samples.n / seconds,
         samples_ms(&run.samples, 50), samples_ms(&run.samples, 99),
         (double)(samples_cpu_us() - cpu) / (double)run.samples.n);
  samples_deinit(&run.samples);
  free(run.payload);
  return run.errors > 0;
}
