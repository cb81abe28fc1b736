/* Whose rights this process uses at the moment: its own, or those of the sandbox's user. */
#ifndef SANDPLANE_RUNTIME_PROCESS_IDENTITY_H_
#define SANDPLANE_RUNTIME_PROCESS_IDENTITY_H_

#include <sys/types.h>

/* Effective identity; uid -1: nothing changes. What is made meanwhile (files, pipes, terminals) is that user's. */
void identity_assume(uid_t uid, gid_t gid);
/* Back to the real one. */
void identity_restore(uid_t uid);

#endif
