/* Programs of the machine, run beside the loop: nothing of them ever blocks it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SUBPROCESS_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SUBPROCESS_H_

#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

typedef struct SubprocessSpec {
  char *const *argv;
  /* Standard output and error; appended to. */
  const char *log_path;
  /* cgroup.procs files, already open for writing, that the child puts itself into before it execs. */
  const int *cgroup_fds;
  size_t n_cgroup_fds;
  /* Inherited as descriptors 3 and up, in order. */
  const int *pass_fds;
  size_t n_pass_fds;
  /* User and group it becomes; uid 0: ours. */
  uid_t uid;
  gid_t gid;
  /* SIGTERM and SIGINT stay blocked in it, whatever handlers it sets: it ends by SIGKILL of somebody who may. */
  bool deaf;
} SubprocessSpec;

/* Starts it in a session of its own, with no environment but a PATH and nothing of what whoever started us has set: no
 * descriptors but those named, no ignored signals, usual priority, umask and limits (process_limits.h). The pid, or -1
 * and err. */
pid_t subprocess_start(const SubprocessSpec *spec, Error *err);

/* Watches a process, own child or not, until it ends. */
typedef struct PidWatch PidWatch;
/* fn runs once; status is that of waitpid for a child, -1 for a stranger. NULL: it is gone already. */
PidWatch *pid_watch_new(Loop *loop, pid_t pid, void (*fn)(void *arg, int status), void *arg);
void pid_watch_free(PidWatch *w); /* NULL-safe */

/* When the process began, in clock ticks since boot: with the pid it names a process for good. 0: gone. */
unsigned long long pid_start_time(pid_t pid);

#endif
