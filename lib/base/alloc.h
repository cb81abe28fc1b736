/* The policy for memory that is not to be had, in one place: the program ends with abort().
 *
 * A service that cannot allocate a few bytes cannot answer a call, write a log line or clean up either; its supervisor
 * starts it anew, and what it had promised is in the state. So none of these returns NULL, and no caller looks. What
 * grows on input has a stated maximum of its own long before (docs/architecture.md); this is not the place that refuses
 * it.
 *
 * The names are those of git, crun and systemd for the same thing. Freed with free(). Any thread.
 */
#ifndef SANDPLANE_LIB_BASE_ALLOC_H_
#define SANDPLANE_LIB_BASE_ALLOC_H_

#include <stdlib.h>

/* A zeroed T. */
#define new0(T) ((T *)xcalloc(1, sizeof(T)))

/* The one way out. */
static inline void *alloc_or_abort(void *p) {
  if (!p)
    abort();
  return p;
}

/* size 0 counts as 1, so that the answer is never NULL. */
static inline void *xmalloc(size_t size) {
  return alloc_or_abort(malloc(size ? size : 1));
}

/* Zeroed; a product that has no room in size_t is no memory either (calloc(3)). */
static inline void *xcalloc(size_t n, size_t size) {
  return n && size ? alloc_or_abort(calloc(n, size)) : xmalloc(0);
}

/* p, grown or shrunk to n elements of this size; p NULL: new. */
static inline void *xreallocarray(void *p, size_t n, size_t size) {
  return alloc_or_abort(n && size ? reallocarray(p, n, size) : realloc(p, 1));
}

static inline void *xrealloc(void *p, size_t size) {
  return xreallocarray(p, size, 1);
}

#endif
