/* Runs what reads strangers' archives as nobody: in namespaces of its own, of users too, with one folder for a world,
 * no capabilities but those that make files theirs, and the system calls of seccomp_filter.h. What a flaw in a library
 * gives away there is that folder. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_CONFINE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_CONFINE_H_

#include <sys/types.h>

#include "lib/base/error.h"

/* Users and groups that it has, from its root on; on the machine they are those from first_id on. */
#define CONFINE_IDS 65536

/* Calls fn in a child whose root folder is FOLDER/rootfs, which is made, and whose working folder is FOLDER; fn's
 * result is its exit status. Needs root. The status that waitpid tells, or -1 and err: it was not started. All that the
 * child started has ended with it. */
int confine_run(const char *folder, uid_t first_id, int (*fn)(void *arg), void *arg, Error *err) MUST_CHECK;
/* Gives FOLDER and all in it to those that its owners were inside: root's is root's. Nobody may write there by then. */
int confine_hand_over(const char *folder, uid_t first_id, Error *err) MUST_CHECK;

#endif
