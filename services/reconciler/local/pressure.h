/* In a control group that reaches its memory's limit the process inside that holds most is ended; nobody is killed by
 * the machine, what wants much more meanwhile waits. For an isolation whose processes are one to the machine's kernel.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_PRESSURE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_PRESSURE_H_

#include "lib/loop/loop.h"
#include "services/reconciler/local/cgroup.h"

/* What may be used on top until a process has ended. The group's own limit is to be that much above. */
#define PRESSURE_RESERVE_BYTES ((int64_t)256 << 20)

typedef struct PressureSpec {
  Loop *loop;
  CgroupTree *cgroups;
  const char *group; /* must outlive it */
  int64_t limit_bytes;
  /* What may be used beyond that at the moment, for what the isolation holds for itself. */
  int64_t (*allowance)(void *arg);
  /* Starts what ends the process: its pid, a child of ours. -1 and err: it cannot be started. */
  pid_t (*relieve)(void *arg, Error *err);
  /* It did not help. Runs once; frees nothing. */
  void (*on_hopeless)(void *arg);
  void *arg;
} PressureSpec;

typedef struct Pressure Pressure;
/* NULL and err: the group cannot be watched. */
Pressure *pressure_new(const PressureSpec *spec, Error *err);
void pressure_free(Pressure *p); /* NULL-safe; allowed within its callbacks */

#endif
