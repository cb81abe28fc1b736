/* A control group that reaches its memory's limit waits there, instead of being killed, while the process inside that
 * holds most is ended. For an isolation whose processes are one to the machine's kernel. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_PRESSURE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_PRESSURE_H_

#include "lib/loop/loop.h"
#include "services/reconciler/local/cgroup.h"

/* What the isolation may have on top while it ends a process, bit by bit. The group's own limit is to be that much
 * above. */
#define PRESSURE_RESERVE_BYTES ((int64_t)128 << 20)

typedef struct PressureSpec {
  Loop *loop;
  CgroupTree *cgroups;
  const char *group; /* must outlive it */
  int64_t limit_bytes;
  /* What may be used beyond that at the moment, for what the isolation holds for itself. */
  int64_t (*allowance)(void *arg);
  /* Starts what ends the process, or, when again is set because that did not help, all that belongs to the one that
   * holds most: its pid, a child of ours. -1 and err: it cannot be started. */
  pid_t (*relieve)(void *arg, bool again, Error *err);
  /* It did not help. Runs once; frees nothing. */
  void (*on_hopeless)(void *arg);
  void *arg;
} PressureSpec;

typedef struct Pressure Pressure;
/* NULL and err: the group cannot be watched. */
Pressure *pressure_new(const PressureSpec *spec, Error *err);
void pressure_free(Pressure *p); /* NULL-safe; allowed within its callbacks */

#endif
