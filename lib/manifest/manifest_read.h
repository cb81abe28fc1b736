/* Fields out of a JSON object, with their paths: what manifest_template.c is made of.
 *
 * A Reader remembers the first mistake and makes every later read a no-op, so that the readers below need no
 * check after each field; the caller looks once, at the end. */
#ifndef SANDPLANE_LIB_MANIFEST_MANIFEST_READ_H_
#define SANDPLANE_LIB_MANIFEST_MANIFEST_READ_H_

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/error.h"

typedef struct Reader {
  Error *err;
  bool failed;
} Reader;

typedef struct Node {
  Reader *reader;
  const json_t *value; /* NULL: absent */
  char path[120];
} Node;

Node node_root(Reader *r, const json_t *value);
/* A member of an object ("path.name") and an item of a list ("path[i]"). */
Node node_get(const Node *n, const char *name);
Node node_at(const Node *n, size_t i);
static inline bool node_present(const Node *n) {
  return n->value && !json_is_null(n->value);
}
size_t node_len(const Node *n);

/* INVALID_ARGUMENT, or FAILED_PRECONDITION for what is sound but cannot be honoured here. */
void node_fail(const Node *n, const char *fmt, ...) PRINTF_LIKE(2, 3);
void node_unsupported(const Node *n, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Each fails when the value is of another type; absent: the fallback. Strings are copies; the caller frees. */
char *node_string(const Node *n, const char *fallback);
int64_t node_int(const Node *n, int64_t min, int64_t max, int64_t fallback);
bool node_bool(const Node *n, bool fallback);
/* A resource quantity in thousandths; 0 when absent. */
int64_t node_quantity_milli(const Node *n);
void node_want_object(const Node *n);
void node_want_list(const Node *n);
/* Fails on a member that is not among names (NULL-terminated). */
void node_only(const Node *n, const char *const *names);

#endif
