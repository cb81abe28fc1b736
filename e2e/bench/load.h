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
  /* create, delete */
  const char *second_target; /* empty: none */
  int64_t pools;             /* more than 1: pool is what comes before -0, -1... */
  const char *names;         /* file */
} LoadConfig;

/* All print one line of JSON and return the exit code: 1 when any call failed. */
int load_unary(LoadClient *client, const LoadConfig *config);
int load_sandbox(LoadClient *client, const LoadConfig *config);
/* CreateSandbox of count sandboxes, their names into a file; DeleteSandbox of what is in it. */
int load_create(LoadClient *client, const LoadConfig *config);
int load_delete(LoadClient *client, const LoadConfig *config);

#endif
