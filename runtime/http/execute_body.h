/* The body of POST /execute, read as its reference reads it: Python's json.loads and the types of pydantic. So a byte
 * order mark, UTF-16 and UTF-32, NaN, numbers of any size, "\u0000" and halves of surrogate pairs are JSON. */
#ifndef SANDPLANE_RUNTIME_HTTP_EXECUTE_BODY_H_
#define SANDPLANE_RUNTIME_HTTP_EXECUTE_BODY_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

typedef struct ExecuteBody {
  char *command; /* may hold NULs */
  size_t command_len;
  int64_t timeout_ms; /* -1: none was given */
} ExecuteBody;

/* What is wrong, as such a server tells it: status 400 alone, or 422 with these. */
typedef struct ExecuteFault {
  int status;
  const char *type, *loc, *msg, *ctx; /* loc: JSON behind "body"; ctx: JSON behind "input", or "" */
} ExecuteFault;

/* 0, or 1 and *ret_fault. What is given out lives in the arena. */
int execute_body_read(Arena *arena, const uint8_t *data, size_t len, ExecuteBody *ret_body, ExecuteFault *ret_fault);

#endif
