/* Which part of a cluster a command belongs to, and what a cluster says of its parts. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SLOTS_H_
#define SANDPLANE_LIB_REDIS_REDIS_SLOTS_H_

#include <stddef.h>

#include "lib/redis/redis.h"
#include "lib/redis/redis_config.h"

enum { REDIS_SLOTS = 16384, REDIS_SLOT_ANY = -1 };

/* Of a key: of what stands in its first braces, if anything does. */
int redis_slot_of_key(const char *key, size_t len);
/* Of a command: that of its first key; ANY when it has none. Knows the commands that have none at all, EVAL, and takes
 * the first argument of others for a key. lens may be NULL. */
int redis_slot_of_command(size_t argc, const char *const *argv, const size_t *lens);

/* Whether a reply to CLUSTER SLOTS is a map. */
bool redis_slots_check(const RedisReply *map);
/* Of a checked map: each range and the address of its master. teller: the server that answered, for those it tells no
 * host of. */
void redis_slots_each(const RedisReply *map, const char *teller,
                      void (*fn)(void *arg, int first, int last, const char *address), void *arg);
/* "MOVED 3999 127.0.0.1:6381", "ASK ...": the slot, and where it is; -1: neither. */
int redis_slot_elsewhere(const char *text, const char *teller, char address[REDIS_ADDRESS_MAX]);

#endif
