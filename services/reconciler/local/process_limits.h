/* The resource limits that commands begin with, in every class, whoever started the stack and with which. They are
 * those that container engines give: a login's are made for people, and differ from machine to machine. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_PROCESS_LIMITS_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_PROCESS_LIMITS_H_

#include <stddef.h>
#include <stdint.h>

#define PROCESS_LIMIT_NONE UINT64_MAX

typedef struct ProcessLimit {
  int resource;     /* RLIMIT_... */
  const char *name; /* "RLIMIT_..." */
  uint64_t soft, hard;
} ProcessLimit;

extern const ProcessLimit PROCESS_LIMITS[];
extern const size_t N_PROCESS_LIMITS;

/* Sets them for this process; what may not be raised stays at what it may be. System calls only: for a child that has
 * our memory. */
void process_limits_apply(void);

#endif
