/* See directory.h. */
#include "services/claims/claim/directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_pool.h"

typedef struct Entry {
  DirectoryPool pool;
  bool dirty;   /* to be read at the next tick */
  bool present; /* seen in the index by the refresh under way */
} Entry;

struct Directory {
  State *state;
  void (*fn)(void *arg, const char *ns, const char *pool, bool present);
  void *arg;
  LoopTimer *tick, *refresh;
  bool ticking, refreshing;
  Entry **entries; /* sorted by namespace and name */
  size_t n;
};

static int compare(const DirectoryPool *pool, const char *ns, const char *name) {
  int cmp = strcmp(pool->ns, ns);
  return cmp ? cmp : strcmp(pool->name, name);
}

/* Index of the first entry that is not before ns, name. */
static size_t lower_bound(const Directory *d, const char *ns, const char *name) {
  size_t lo = 0, hi = d->n;
  while (lo < hi) {
    size_t mid = lo + (hi - lo) / 2;
    if (compare(&d->entries[mid]->pool, ns, name) < 0)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo;
}

static Entry *lookup(const Directory *d, const char *ns, const char *name) {
  size_t at = lower_bound(d, ns, name);
  return at < d->n && compare(&d->entries[at]->pool, ns, name) == 0 ? d->entries[at] : NULL;
}

static Entry *ensure(Directory *d, const char *ns, const char *name) {
  Entry *entry = lookup(d, ns, name);
  if (entry)
    return entry;
  size_t at = lower_bound(d, ns, name);
  entry = calloc(1, sizeof *entry);
  d->entries = reallocarray(d->entries, d->n + 1, sizeof(Entry *));
  if (!entry || !d->entries)
    abort();
  memmove(d->entries + at + 1, d->entries + at, (d->n - at) * sizeof(Entry *));
  d->entries[at] = entry;
  d->n++;
  snprintf(entry->pool.ns, sizeof entry->pool.ns, "%s", ns);
  snprintf(entry->pool.name, sizeof entry->pool.name, "%s", name);
  return entry;
}

static void drop(Directory *d, const char *ns, const char *name) {
  size_t at = lower_bound(d, ns, name);
  if (at == d->n || compare(&d->entries[at]->pool, ns, name) != 0)
    return;
  Entry *entry = d->entries[at];
  memmove(d->entries + at, d->entries + at + 1, (d->n - at - 1) * sizeof(Entry *));
  d->n--;
  d->fn(d->arg, entry->pool.ns, entry->pool.name, false);
  free(entry);
}

typedef struct Read {
  Directory *directory;
  char ns[STATE_NAME_MAX + 1];
  char name[STATE_NAME_MAX + 1];
} Read;

static void on_pool(void *arg, const PoolRecord *record, const Error *err) {
  Read *read = arg;
  Directory *d = read->directory;
  if (record) {
    Entry *entry = ensure(d, read->ns, read->name);
    snprintf(entry->pool.template_name, sizeof entry->pool.template_name, "%s", record->template_name);
    entry->pool.usable = !record->deleted;
    entry->pool.n_ready = record->n_ready;
    d->fn(d->arg, read->ns, read->name, true);
  } else if (err->kind == ERROR_NOT_FOUND) {
    drop(d, read->ns, read->name);
  }
  free(read);
}

static void read_pool(Directory *d, const char *ns, const char *name) {
  Read *read = new0(Read);
  read->directory = d;
  snprintf(read->ns, sizeof read->ns, "%s", ns);
  snprintf(read->name, sizeof read->name, "%s", name);
  state_pool_get(d->state, ns, name, on_pool, read);
}

static void on_tick(void *arg) {
  Directory *d = arg;
  d->ticking = false;
  for (size_t i = 0; i < d->n; i++) {
    Entry *entry = d->entries[i];
    if (!entry->dirty)
      continue;
    entry->dirty = false;
    read_pool(d, entry->pool.ns, entry->pool.name);
  }
}

static void mark(Directory *d, Entry *entry) {
  entry->dirty = true;
  if (d->ticking)
    return;
  d->ticking = true;
  loop_timer_start(d->tick, DIRECTORY_TICK_MS);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  Directory *d = arg;
  d->refreshing = false;
  loop_timer_start(d->refresh, DIRECTORY_REFRESH_MS);
  if (err)
    return;
  for (size_t i = 0; i < d->n; i++)
    d->entries[i]->present = false;
  for (size_t i = 0; i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (!name)
      continue;
    Entry *entry = ensure(d, ns, name);
    entry->present = true;
    mark(d, entry);
  }
  for (size_t i = d->n; i-- > 0;)
    if (!d->entries[i]->present)
      drop(d, d->entries[i]->pool.ns, d->entries[i]->pool.name);
}

void directory_refresh(Directory *d) {
  if (d->refreshing)
    return;
  d->refreshing = true;
  loop_timer_stop(d->refresh);
  state_pool_names(d->state, "", "", 0, on_names, d);
}

static void on_refresh(void *arg) {
  directory_refresh(arg);
}

static void on_hint(void *arg, const char *ns, const char *pool) {
  Directory *d = arg;
  if (ns)
    mark(d, ensure(d, ns, pool));
  else
    directory_refresh(d);
}

Directory *directory_new(Loop *loop, State *state,
                         void (*fn)(void *arg, const char *ns, const char *pool, bool present), void *arg) {
  Directory *d = new0(Directory);
  d->state = state;
  d->fn = fn;
  d->arg = arg;
  d->tick = loop_timer_new(loop, on_tick, d);
  d->refresh = loop_timer_new(loop, on_refresh, d);
  state_on_pools(state, on_hint, d);
  directory_refresh(d);
  return d;
}

void directory_free(Directory *d) {
  if (!d)
    return;
  loop_timer_free(d->tick);
  loop_timer_free(d->refresh);
  for (size_t i = 0; i < d->n; i++)
    free(d->entries[i]);
  free(d->entries);
  free(d);
}

size_t directory_size(const Directory *d) {
  return d->n;
}

static bool was_tried(const char *name, const char (*tried)[STATE_NAME_MAX + 1], size_t n_tried) {
  for (size_t i = 0; i < n_tried; i++)
    if (str_equal(tried[i], name))
      return true;
  return false;
}

const DirectoryPool *directory_pick(const Directory *d, const char *ns, const char *template_name,
                                    const char (*tried)[STATE_NAME_MAX + 1], size_t n_tried) {
  const DirectoryPool *best = NULL;
  for (size_t i = lower_bound(d, ns, ""); i < d->n && str_equal(d->entries[i]->pool.ns, ns); i++) {
    const DirectoryPool *pool = &d->entries[i]->pool;
    if (pool->usable && pool->n_ready > (best ? best->n_ready : 0) && str_equal(pool->template_name, template_name) &&
        !was_tried(pool->name, tried, n_tried))
      best = pool;
  }
  return best;
}
