/* Goes through the names of an index, of pools or templates, one after the other: whoever does something that takes a
 * while with each reads the next when that is done. Names are read a batch at a time, so that no index is too long.
 *
 * An object that stays during the whole walk is met exactly once, whatever comes and goes meanwhile. On the loop
 * thread.
 */
#ifndef SANDPLANE_LIB_STATE_STATE_CURSOR_H_
#define SANDPLANE_LIB_STATE_STATE_CURSOR_H_

#include "lib/base/arena.h"
#include "lib/state/state.h"

enum { STATE_CURSOR_BATCH = 100 };

/* state_pool_names or state_template_names. */
typedef void (*StateNamesRead)(State *s, const char *ns, const char *after, size_t limit, StateNamesFn fn, void *arg);
/* name lives as long as the arena, ns as long as the call. name NULL: there are no more, or (err) they could not be
 * read. */
typedef void (*StateNameFn)(void *arg, const char *ns, const char *name, const Error *err);

/* The strings it is begun with live as long as it does. */
typedef struct StateCursor {
  State *s;
  Arena *arena;
  StateNamesRead read;
  const char *ns; /* empty: all */
  StateNameFn fn;
  void *arg;
  const char *at; /* "namespace/name" of the last one met, or the one to begin after (empty: at the first) */
  const char **names;
  size_t n_names, i_name;
  bool last_batch;
} StateCursor;

/* Calls fn once for the next name, at once where it was read already. What is no "namespace/name" is passed over. */
void state_cursor_next(StateCursor *c);
/* There are no more, as is known without a question to Redis. */
bool state_cursor_ended(const StateCursor *c);

#endif
