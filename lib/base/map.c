/* See map.h. */
#include "lib/base/map.h"

#include <string.h>

#include "lib/base/alloc.h"

/* Out of memory ends the program here as everywhere. */
#define uthash_malloc(size) xmalloc(size)
#define uthash_fatal(message) abort()
#include <uthash.h>

typedef struct Entry {
  UT_hash_handle hh;
  void *value;
  char key[];
} Entry;

struct Map {
  Entry *entries;
};

static Entry *find(const Map *map, const char *key) {
  Entry *e;
  HASH_FIND_STR(map->entries, key, e);
  return e;
}

void *map_get(const Map *map, const char *key) {
  const Entry *e = find(map, key);
  return e ? e->value : NULL;
}

void *map_put(Map *map, const char *key, void *value) {
  Entry *e = find(map, key);
  if (e) {
    void *before = e->value;
    e->value = value;
    return before;
  }
  size_t len = strlen(key);
  e = xcalloc(1, sizeof *e + len + 1);
  e->value = value;
  memcpy(e->key, key, len + 1);
  // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the analyzer loses that uthash clears its new buckets
  HASH_ADD_KEYPTR(hh, map->entries, e->key, len, e);
  return NULL;
}

static void remove_entry(Map *map, Entry *e) {
  HASH_DEL(map->entries, e);
  free(e);
}

void *map_remove(Map *map, const char *key) {
  Entry *e = find(map, key);
  if (!e)
    return NULL;
  void *value = e->value;
  remove_entry(map, e);
  return value;
}

size_t map_count(const Map *map) {
  return HASH_COUNT(map->entries);
}

void map_each(Map *map, void (*fn)(void *arg, const char *key, void *value), void *arg) {
  Entry *e, *next;
  HASH_ITER(hh, map->entries, e, next)
  fn(arg, e->key, e->value);
}

Map *map_new(void) {
  return new0(Map);
}

void map_free(Map *map) {
  if (!map)
    return;
  Entry *e, *next;
  HASH_ITER(hh, map->entries, e, next)
  remove_entry(map, e);
  free(map);
}
