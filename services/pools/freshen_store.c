/* See freshen_store.h. */
#include "services/pools/freshen_store.h"

#include <stdio.h>

#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_template.h"
#include "services/pools/pools_metrics.h"

enum { NAMES_STEP = 100 };

typedef struct Freshen {
  Pools *pools;
  Arena *arena;
  FreshenFn fn;
  void *arg;
  const char *ns;
  const char *name;          /* of the pool */
  const char *template_name; /* pools of this one alone; NULL: of any */
  const char *hash, *shape;
  /* Of a namespace's pools: */
  const char **names;
  size_t n_names, at_name;
  char after[STATE_NAME_MAX * 2 + 2];
  bool last_batch;
} Freshen;

static void next(Freshen *f);

static void end(Freshen *f, const Error *err) {
  if (err && err->kind == ERROR_NOT_FOUND)
    err = NULL;
  f->fn(f->arg, err);
}

static void on_told(void *arg, int n_gone, const Error *err) {
  Freshen *f = arg;
  if (!err)
    pools_count_retired(f->pools->service->metrics, arena_printf(f->arena, "%s/%s", f->ns, f->name), n_gone, "Stale");
  if (err || !f->names)
    end(f, err);
  else
    next(f);
}

static void tell(Freshen *f) {
  state_pool_set_hash(f->pools->state, f->ns, f->name, f->hash, f->shape, on_told, f);
}

static void keep_template(Freshen *f, const TemplateRecord *record) {
  char shape[MANIFEST_SHAPE_MAX];
  manifest_shape(record->manifest, shape);
  f->hash = arena_strdup(f->arena, record->hash);
  f->shape = arena_strdup(f->arena, shape);
}

/* ---- one pool ---- */

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  Freshen *f = arg;
  if (!record)
    return end(f, err);
  keep_template(f, record);
  tell(f);
}

static void on_pool(void *arg, const PoolRecord *record, const Error *err) {
  Freshen *f = arg;
  if (!record || record->deleted)
    return end(f, err);
  state_template_get(f->pools->state, f->ns, arena_strdup(f->arena, record->template_name), on_template, f);
}

void freshen_pool(Pools *pools, Arena *arena, const char *ns, const char *name, FreshenFn fn, void *arg) {
  Freshen *f = arena_alloc(arena, sizeof *f);
  *f = (Freshen){.pools = pools, .arena = arena, .fn = fn, .arg = arg, .ns = ns, .name = name};
  state_pool_get(pools->state, ns, name, on_pool, f);
}

/* ---- all of a template ---- */

static void on_one(void *arg, const PoolRecord *record, const Error *err) {
  Freshen *f = arg;
  if (err && err->kind != ERROR_NOT_FOUND)
    end(f, err);
  else if (record && !record->deleted && str_equal(record->template_name, f->template_name))
    tell(f);
  else
    next(f);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  Freshen *f = arg;
  if (err)
    return end(f, err);
  f->names = arena_alloc(f->arena, (names->n_names + 1) * sizeof *f->names);
  for (size_t i = 0; i < names->n_names; i++)
    f->names[i] = arena_strdup(f->arena, names->names[i]);
  f->n_names = names->n_names;
  f->at_name = 0;
  f->last_batch = names->n_names < NAMES_STEP;
  next(f);
}

static void next(Freshen *f) {
  if (f->at_name == f->n_names && f->last_batch)
    return end(f, NULL);
  if (f->at_name == f->n_names)
    return state_pool_names(f->pools->state, f->ns, f->after, NAMES_STEP, on_names, f);
  const char *listed = f->names[f->at_name++];
  char ns[STATE_NAME_MAX + 1] = "";
  snprintf(f->after, sizeof f->after, "%s", listed);
  f->name = state_name_split(listed, ns);
  if (f->name)
    state_pool_get(f->pools->state, f->ns, f->name, on_one, f);
  else
    next(f);
}

void freshen_pools_of(Pools *pools, Arena *arena, const TemplateRecord *record, FreshenFn fn, void *arg) {
  Freshen *f = arena_alloc(arena, sizeof *f);
  *f = (Freshen){.pools = pools, .arena = arena, .fn = fn, .arg = arg};
  f->ns = arena_strdup(arena, record->ns);
  f->template_name = arena_strdup(arena, record->name);
  keep_template(f, record);
  state_pool_names(pools->state, f->ns, "", NAMES_STEP, on_names, f);
}
