/* See freshen_store.h. */
#include "services/pools/freshen_store.h"

#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/state/state_cursor.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_template.h"
#include "services/pools/pools_metrics.h"

typedef struct Freshen {
  Pools *pools;
  Arena *arena;
  FreshenFn fn;
  void *arg;
  const char *ns;
  const char *name;          /* of the pool */
  const char *template_name; /* pools of this one alone; NULL: of any */
  const char *hash, *shape;
  StateCursor cursor; /* over the pools of the namespace */
} Freshen;

static void end(Freshen *f, const Error *err) {
  if (err && err->kind == ERROR_NOT_FOUND)
    err = NULL;
  f->fn(f->arg, err);
}

static void on_told(void *arg, int n_gone, const Error *err) {
  Freshen *f = arg;
  if (!err)
    pools_count_retired(f->pools->service->metrics, arena_printf(f->arena, "%s/%s", f->ns, f->name), n_gone, "Stale");
  if (err || !f->template_name)
    end(f, err);
  else
    state_cursor_next(&f->cursor);
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
    state_cursor_next(&f->cursor);
}

static void on_name(void *arg, const char *ns, const char *name, const Error *err) {
  Freshen *f = arg;
  f->name = name;
  if (name)
    state_pool_get(f->pools->state, f->ns, name, on_one, f);
  else
    end(f, err);
}

void freshen_pools_of(Pools *pools, Arena *arena, const TemplateRecord *record, FreshenFn fn, void *arg) {
  Freshen *f = arena_alloc(arena, sizeof *f);
  *f = (Freshen){.pools = pools, .arena = arena, .fn = fn, .arg = arg};
  f->ns = arena_strdup(arena, record->ns);
  f->template_name = arena_strdup(arena, record->name);
  keep_template(f, record);
  f->cursor = (StateCursor){pools->state, arena, state_pool_names, f->ns, on_name, f, ""};
  state_cursor_next(&f->cursor);
}
