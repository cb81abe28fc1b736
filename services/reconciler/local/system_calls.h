/* The system calls that programs need: what may be called by untrusted ones, and by what unpacks their images. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SYSTEM_CALLS_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SYSTEM_CALLS_H_

#include <stddef.h>

/* By name; some are not there on every kernel or processor. In alphabetical order. */
extern const char *const SYSTEM_CALLS_ALLOWED[];
extern const size_t SYSTEM_CALLS_N_ALLOWED;

/* Those that exist and need rights that nobody has here: whoever calls one is told so (EPERM), as on a machine where
 * they are somebody else's to make. All others are "not there" (ENOSYS), which is what programs are prepared for. */
extern const char *const SYSTEM_CALLS_REFUSED[];
extern const size_t SYSTEM_CALLS_N_REFUSED;

#endif
