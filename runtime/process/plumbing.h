/* The streams of a command: three pipes, or a terminal, which is one descriptor for all of them on either side. */
#ifndef SANDPLANE_RUNTIME_PROCESS_PLUMBING_H_
#define SANDPLANE_RUNTIME_PROCESS_PLUMBING_H_

#include "runtime/process/process_spawn.h"

typedef struct Plumbing {
  SpawnFds child;
  int in, out, err; /* our ends; -1: none */
} Plumbing;

/* As the command's user, who is then the owner of its streams and may open them again by name (/dev/stdout).
 * RESOURCE_EXHAUSTED, FAILED_PRECONDITION. */
int plumbing_init(Plumbing *pl, const ProcessSpec *spec, uid_t uid, gid_t gid, Error *err) MUST_CHECK;
/* What the command has got, or is not going to get. */
void plumbing_close_child(Plumbing *pl);
void plumbing_close_ours(Plumbing *pl);

#endif
