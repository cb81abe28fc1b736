/* What load does, by mode. */
#ifndef SANDPLANE_E2E_BENCH_LOAD_H_
#define SANDPLANE_E2E_BENCH_LOAD_H_

#include <stdint.h>

#include "e2e/bench/load_client.h"

typedef struct LoadConfig {
  const char *mode;
  const char *target;
  int64_t depth;
  int64_t count;
  int64_t warmup;
  /* unary */
  const char *method;
  int64_t payload_bytes;
  /* sandbox */
  const char *parent;
  const char *pool;
  const char *command;
} LoadConfig;

/* Both print one line of JSON and return the exit code: 1 when any call failed. */
int load_unary(LoadClient *client, const LoadConfig *config);
int load_sandbox(LoadClient *client, const LoadConfig *config);

#endif
