/* The system calls that a sandbox of class process may not make. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SECCOMP_FILTER_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SECCOMP_FILTER_H_

#include "lib/base/error.h"

/* A memory file with the compiled filter, at its start; the caller closes. -1 and err. */
int seccomp_filter_open(Error *err) MUST_CHECK;

#endif
