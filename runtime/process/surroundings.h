/* What a command finds around it is what the runtime had when it started, whoever started that: this puts right what
 * must not depend on them. */
#ifndef SANDPLANE_RUNTIME_PROCESS_SURROUNDINGS_H_
#define SANDPLANE_RUNTIME_PROCESS_SURROUNDINGS_H_

#include <sys/types.h>

#include "lib/loop/loop.h"

/* Before anything is opened and before there is a loop. Descriptors: 0, 1, 2 and keep_fd (-1: none), no others. No
 * signal is ignored or blocked, and none ends the runtime, which a command of the same user may send it: they have
 * handlers that do nothing, because those end with exec. Limits are as high as they may be, but for the stack (8 MiB)
 * and core files (none); umask 022; priority 0 where that is allowed. */
void surroundings_settle(int keep_fd);
/* PATH, HOME and HOSTNAME where the environment has none; uid: whom commands run as. */
void surroundings_complete_environment(uid_t uid);

/* Calls fn at SIGTERM and SIGINT. As process 1 of a process namespace, only at those that come from outside of it: the
 * commands inside are no masters of their sandbox. */
typedef struct EndSignals EndSignals;
EndSignals *end_signals_new(Loop *loop, void (*fn)(void *arg), void *arg);
void end_signals_free(EndSignals *s);

#endif
