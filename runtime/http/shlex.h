/* Splits a line as POSIX shells do words: quotes and backslashes, nothing else. What Python's shlex.split does,
 * which is what callers of /execute expect. */
#ifndef SANDPLANE_RUNTIME_HTTP_SHLEX_H_
#define SANDPLANE_RUNTIME_HTTP_SHLEX_H_

#include <stddef.h>

#include "lib/base/arena.h"

/* NULL-terminated words in the arena, *ret_n of them; NULL and *ret_error, a text in Python's words. */
char **shlex_split(Arena *arena, const char *line, size_t *ret_n, const char **ret_error);

#endif
