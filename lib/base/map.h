/* Pointers by text: a hash table (uthash, which none of its callers see).
 *
 * Keys are copied; values belong to the caller, who frees them as they leave. NULL is no value. Aborts when there is no
 * memory. In no promised order. One thread.
 */
#ifndef SANDPLANE_LIB_BASE_MAP_H_
#define SANDPLANE_LIB_BASE_MAP_H_

#include <stddef.h>

#include "lib/base/compiler.h"

typedef struct Map Map;

Map *map_new(void);
/* Values are left alone. NULL is fine. */
void map_free(Map *map);
DEFINE_CLEANUP(Map *, map_freep, map_free)

/* NULL: none. */
void *map_get(const Map *map, const char *key);
/* value: not NULL. What the key had before; NULL: nothing. */
void *map_put(Map *map, const char *key, void *value);
/* What the key had; NULL: nothing. */
void *map_remove(Map *map, const char *key);
size_t map_count(const Map *map);

/* fn for each; it may remove the one it is called with, and must not put. */
void map_each(Map *map, void (*fn)(void *arg, const char *key, void *value), void *arg);

#endif
