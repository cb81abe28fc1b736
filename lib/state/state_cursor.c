/* See state_cursor.h. */
#include "lib/state/state_cursor.h"

#include "lib/state/state_keys.h"

static void on_names(void *arg, const StateNames *names, const Error *err) {
  StateCursor *c = arg;
  if (err)
    return c->fn(c->arg, NULL, NULL, err);
  c->names = arena_alloc(c->arena, names->n_names * sizeof *c->names);
  for (size_t i = 0; i < names->n_names; i++)
    c->names[i] = arena_strdup(c->arena, names->names[i]);
  c->n_names = names->n_names;
  c->i_name = 0;
  c->last_batch = names->n_names < STATE_CURSOR_BATCH;
  state_cursor_next(c);
}

bool state_cursor_ended(const StateCursor *c) {
  return c->last_batch && c->i_name == c->n_names;
}

void state_cursor_next(StateCursor *c) {
  while (c->i_name < c->n_names) {
    c->at = c->names[c->i_name++];
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(c->at, ns);
    if (name)
      return c->fn(c->arg, ns, name, NULL);
  }
  if (c->last_batch)
    return c->fn(c->arg, NULL, NULL, NULL);
  c->read(c->s, c->ns, c->at, STATE_CURSOR_BATCH, on_names, c);
}
