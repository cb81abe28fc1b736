/* Bytes between two sockets, both ways, until both have ended. */
#ifndef SANDPLANE_RUNTIME_CALL_RELAY_H_
#define SANDPLANE_RUNTIME_CALL_RELAY_H_

#include "lib/loop/stream.h"

/* Takes both over: the caller's stream, of which what was read already is handed on, and a connected socket. A side's
 * end of file is passed on as such; an error ends both. Each direction holds at most 64 KiB. */
void relay_start(Loop *loop, Stream *caller, int fd);

#endif
