/* Bytes between two sockets, both ways, until both have ended. */
#ifndef SANDPLANE_RUNTIME_RELAY_H_
#define SANDPLANE_RUNTIME_RELAY_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/loop/loop.h"

/* Takes both descriptors over. to_a and to_b are sent first. A side's end of file is passed on as such; an error
 * ends both. Each direction holds at most 64 KiB. */
void relay_start(Loop *loop, int a, int b, const void *to_a, size_t to_a_len, const void *to_b, size_t to_b_len);

#endif
