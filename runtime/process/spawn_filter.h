/* What keeps a command from ending a runtime of its own user, where that is process 1.
 *
 * Linux lets no process of a namespace kill its first one; gVisor does. The limits of a process are its user's to set
 * everywhere, and one of them ends it. So these calls on process 1 are refused (EPERM).
 */
#ifndef SANDPLANE_RUNTIME_PROCESS_SPAWN_FILTER_H_
#define SANDPLANE_RUNTIME_PROCESS_SPAWN_FILTER_H_

#include <linux/filter.h>

/* For PR_SET_SECCOMP, in the child. */
const struct sock_fprog *spawn_filter(void);

#endif
