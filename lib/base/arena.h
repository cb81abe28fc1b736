/* One arena per request: allocations live until it is reset, and none is freed by itself. */
#ifndef SANDPLANE_LIB_BASE_ARENA_H_
#define SANDPLANE_LIB_BASE_ARENA_H_

#include <stddef.h>

#include "lib/base/compiler.h"

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena); /* NULL-safe */
/* Keeps the first block. */
void arena_reset(Arena *arena);
/* Zeroed, aligned for any type, never NULL. */
void *arena_alloc(Arena *arena, size_t size);
char *arena_strdup(Arena *arena, const char *s);
char *arena_strndup(Arena *arena, const char *s, size_t n);
char *arena_printf(Arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
