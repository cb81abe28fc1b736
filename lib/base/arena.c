/* See arena.h. Blocks in a list, each twice the one before up to ARENA_MAX_BLOCK; a large allocation gets a
 * block of its own. */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

/* A request of usual size fits into the first block. */
#define ARENA_FIRST_BLOCK ((size_t)2048)
#define ARENA_MAX_BLOCK ((size_t)64 << 10)

typedef struct Block {
  struct Block *next;
  size_t size, used;
  _Alignas(max_align_t) uint8_t data[];
} Block;

struct Arena {
  Block *blocks; /* newest first; the last one is the first made and is kept by a reset */
};

static Block *block_new(size_t size, Block *next) {
  Block *b = xmalloc(sizeof *b + size);
  *b = (Block){.next = next, .size = size};
  return b;
}

Arena *arena_new(void) {
  Arena *a = xmalloc(sizeof *a);
  a->blocks = block_new(ARENA_FIRST_BLOCK, NULL);
  return a;
}

void arena_reset(Arena *arena) {
  while (arena->blocks->next) {
    Block *b = arena->blocks;
    arena->blocks = b->next;
    free(b);
  }
  arena->blocks->used = 0;
}

void arena_free(Arena *arena) {
  if (!arena)
    return;
  arena_reset(arena);
  free(arena->blocks);
  free(arena);
}

void *arena_alloc(Arena *arena, size_t size) {
  if (size > SIZE_MAX / 2)
    abort();
  size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
  Block *b = arena->blocks;
  if (size > b->size - b->used) {
    size_t next = b->size < ARENA_MAX_BLOCK ? b->size * 2 : ARENA_MAX_BLOCK;
    b = arena->blocks = block_new(size > next ? size : next, b);
  }
  void *p = b->data + b->used;
  b->used += size;
  return memset(p, 0, size);
}

char *arena_strndup(Arena *arena, const char *s, size_t n) {
  char *p = arena_alloc(arena, n + 1);
  memcpy(p, s, n);
  return p;
}

char *arena_strdup(Arena *arena, const char *s) {
  return arena_strndup(arena, s, strlen(s));
}

char *arena_printf(Arena *arena, const char *fmt, ...) {
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  va_end(ap);
  if (n < 0)
    abort();
  char *p = arena_alloc(arena, (size_t)n + 1);
  vsnprintf(p, (size_t)n + 1, fmt, again);
  va_end(again);
  return p;
}
