/* Which part of a cluster a command belongs to. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SLOTS_H_
#define SANDPLANE_LIB_REDIS_REDIS_SLOTS_H_

#include <stdbool.h>
#include <stddef.h>

enum { REDIS_SLOTS = 16384, REDIS_SLOT_ANY = -1 };

/* Of a key: of what stands in its first braces, if anything does. */
int redis_slot_of_key(const char *key, size_t len);
/* Of a command: that of its first key; ANY when it has none. Knows the commands that have none at all, EVAL, and takes
 * the first argument of others for a key. lens may be NULL. */
int redis_slot_of_command(size_t argc, const char *const *argv, const size_t *lens);

#endif
