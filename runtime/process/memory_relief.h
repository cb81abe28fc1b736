/* Ends what holds most memory, when whoever made the sandbox asks for it: SIGUSR2 from outside of the process
 * namespace. Of gVisor the machine's kernel sees one process, and at the sandbox's limit of memory it could only end
 * all of it. */
#ifndef SANDPLANE_RUNTIME_PROCESS_MEMORY_RELIEF_H_
#define SANDPLANE_RUNTIME_PROCESS_MEMORY_RELIEF_H_

#include "lib/loop/loop.h"

typedef struct MemoryRelief MemoryRelief;
MemoryRelief *memory_relief_new(Loop *loop);
void memory_relief_free(MemoryRelief *m);

#endif
