/* See process_limits.h. */
#include "services/reconciler/local/process_limits.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NONE PROCESS_LIMIT_NONE
#define MIB ((uint64_t)1 << 20)
#define LIMIT(name, soft, hard) \
  { name, #name, soft, hard }

const ProcessLimit PROCESS_LIMITS[] = {
    LIMIT(RLIMIT_CPU, NONE, NONE),
    LIMIT(RLIMIT_FSIZE, NONE, NONE),
    LIMIT(RLIMIT_DATA, NONE, NONE),
    LIMIT(RLIMIT_STACK, 8 * MIB, NONE),
    /* where a core goes is the machine's setting, and what a sandbox held is nothing for the machine */
    LIMIT(RLIMIT_CORE, 0, 0),
    LIMIT(RLIMIT_RSS, NONE, NONE),
    /* the control group's limit holds; gVisor's own is in gvisor_spec.c */
    LIMIT(RLIMIT_NPROC, NONE, NONE),
    LIMIT(RLIMIT_NOFILE, 1048576, 1048576),
    LIMIT(RLIMIT_MEMLOCK, 8 * MIB, 8 * MIB),
    LIMIT(RLIMIT_AS, NONE, NONE),
    LIMIT(RLIMIT_LOCKS, NONE, NONE),
    LIMIT(RLIMIT_MSGQUEUE, 819200, 819200),
    LIMIT(RLIMIT_NICE, 0, 0),
    LIMIT(RLIMIT_RTPRIO, 0, 0),
};
const size_t N_PROCESS_LIMITS = sizeof PROCESS_LIMITS / sizeof PROCESS_LIMITS[0];

void process_limits_apply(void) {
  for (size_t i = 0; i < N_PROCESS_LIMITS; i++) {
    const ProcessLimit *l = &PROCESS_LIMITS[i];
    uint64_t value[2] = {l->soft, l->hard}, had[2];
    if (syscall(SYS_prlimit64, 0, l->resource, value, NULL) == 0 ||
        syscall(SYS_prlimit64, 0, l->resource, NULL, had) != 0)
      continue;
    if (value[0] > had[1])
      value[0] = had[1];
    value[1] = had[1];
    syscall(SYS_prlimit64, 0, l->resource, value, NULL);
  }
}
