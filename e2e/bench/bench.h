/* What the benchmark programs share: the echo method, and flags by lib/base/config. */
#ifndef SANDPLANE_E2E_BENCH_BENCH_H_
#define SANDPLANE_E2E_BENCH_BENCH_H_

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/config.h"

#define BENCH_ECHO_METHOD "/sandplane.bench.Echo/Echo"

/* -1: go on; otherwise the exit code: 0 for --help, 2 for bad flags (one line was printed). */
static inline int bench_config(const ConfigTable *table, int argc, char **argv, void *config) {
  Error err;
  int rc = config_parse(table, argc, argv, config, &err);
  if (rc == 0)
    return -1;
  if (rc < 0) {
    fprintf(stderr, "%s: %s\n", table->program, err.message);
    return 2;
  }
  char *help = config_help(table);
  fputs(help, stdout);
  free(help);
  return 0;
}

#endif
