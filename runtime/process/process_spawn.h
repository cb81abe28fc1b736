/* The step from here into a command's program: everything between vfork and exec. */
#ifndef SANDPLANE_RUNTIME_PROCESS_PROCESS_SPAWN_H_
#define SANDPLANE_RUNTIME_PROCESS_PROCESS_SPAWN_H_

#include "runtime/process/process.h"

typedef struct SpawnFds {
  int in, out, err; /* become 0, 1, 2 */
  bool terminal;    /* in is a terminal, which becomes the controlling one */
} SpawnFds;

/* The new pid, or -1 and err as of process_start. filter: spawn_filter.h. */
pid_t process_spawn(const ProcessSpec *spec, const SpawnFds *fds, uid_t uid, gid_t gid, bool filter, Error *err);

#endif
