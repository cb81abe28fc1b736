/* See toy_backend.h. */
#include "services/reconciler/testing/toy_backend.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/manifest/manifest.h"
#include "lib/state/state_keys.h"

enum { READY_MS = 8, DESTROY_MS = 3, EPOCH_MAX = 40, ID_MAX = STATE_NAME_MAX + 1 };

typedef struct Toy {
  Backend base;
  Loop *loop;
  const BackendEvents *events;
  void *arg;
  char *folder;
  struct ToySandbox *head;
} Toy;

typedef struct ToySandbox {
  struct ToySandbox *next;
  Toy *toy;
  LoopTimer *timer;
  bool ready, ending;
  char ns[ID_MAX], pool[ID_MAX], id[ID_MAX], epoch[EPOCH_MAX];
  char nonce[33], route[ID_MAX + 64]; /* of this one: another of its name has another */
} ToySandbox;

static Toy *toy_of(Backend *b) {
  return (Toy *)b;
}

static char *path_of(const ToySandbox *s) {
  return str_printf("%s/%s.%s", s->toy->folder, s->ns, s->id);
}

static BackendSandbox view(const ToySandbox *s) {
  return (BackendSandbox){.ns = s->ns,
                          .pool = s->pool,
                          .id = s->id,
                          .epoch = s->epoch,
                          .route = s->ready ? s->route : "",
                          .runtime_class = "toy",
                          .ready = s->ready};
}

static ToySandbox *find(Toy *t, const char *ns, const char *id) {
  ToySandbox *s = t->head;
  while (s && (strcmp(s->id, id) != 0 || strcmp(s->ns, ns) != 0))
    s = s->next;
  return s;
}

static void sandbox_free(ToySandbox *s) {
  ToySandbox **at = &s->toy->head;
  while (*at != s)
    at = &(*at)->next;
  *at = s->next;
  loop_timer_free(s->timer);
  free(s);
}

static void on_timer(void *arg) {
  ToySandbox *s = arg;
  Toy *t = s->toy;
  if (!s->ending) {
    s->ready = true;
    BackendSandbox v = view(s);
    return t->events->on_ready(t->arg, &v);
  }
  CLEANUP(str_freep) char *path = path_of(s);
  unlink(path);
  CLEANUP(str_freep) char *ns = str_dup(s->ns);
  CLEANUP(str_freep) char *id = str_dup(s->id);
  sandbox_free(s);
  t->events->on_destroyed(t->arg, ns, id);
}

static ToySandbox *sandbox_new(Toy *t, const char *ns, const char *id, const char *epoch, const char *nonce) {
  char pool[ID_MAX];
  if (strlen(ns) >= ID_MAX || strlen(id) >= ID_MAX || !state_pool_of(id, pool))
    return NULL;
  ToySandbox *s = new0(ToySandbox);
  s->toy = t;
  snprintf(s->ns, sizeof s->ns, "%s", ns);
  snprintf(s->pool, sizeof s->pool, "%s", pool);
  snprintf(s->id, sizeof s->id, "%s", id);
  strncpy(s->epoch, epoch, sizeof s->epoch - 1);
  strncpy(s->nonce, nonce, sizeof s->nonce - 1);
  snprintf(s->route, sizeof s->route, "unix:/toy/%s.%s", id, s->nonce);
  s->timer = loop_timer_new(t->loop, on_timer, s);
  s->next = t->head;
  t->head = s;
  return s;
}

static int check(Backend *b, const char *manifest, Arena *arena, BackendTemplate *ret, Error *err) {
  Manifest m = {0};
  if (manifest_parse(manifest, strlen(manifest), &m, err))
    return -1;
  int result = m.kind == MANIFEST_TEMPLATE ? 0 : error_field(err, "kind", "must be SandboxTemplate");
  const ManifestTemplate *t = &m.template_;
  if (result == 0)
    *ret = (BackendTemplate){.ns = arena_strdup(arena, t->ns),
                             .name = arena_strdup(arena, t->name),
                             .manifest = arena_strdup(arena, t->canonical),
                             .hash = arena_strdup(arena, t->hash),
                             .image = arena_strdup(arena, t->image),
                             .runtime_class = "toy"};
  manifest_deinit(&m);
  return result;
}

static int create(Backend *b, const BackendSandbox *wanted, const char *manifest, Error *err) {
  Toy *t = toy_of(b);
  if (find(t, wanted->ns, wanted->id))
    return 0;
  char nonce[33];
  random_uid(nonce);
  ToySandbox *s = sandbox_new(t, wanted->ns, wanted->id, wanted->epoch, nonce);
  if (!s)
    return error_field(err, "sandboxes", "\"%.64s\" is no name", wanted->id);
  CLEANUP(str_freep) char *path = path_of(s);
  FILE *f = fopen(path, "w");
  if (!f || fprintf(f, "%s %s", s->epoch, s->nonce) < 0 || fclose(f) != 0) {
    sandbox_free(s);
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", path, strerror(errno));
  }
  loop_timer_start(s->timer, READY_MS);
  return 0;
}

static void destroy(Backend *b, const char *ns, const char *id) {
  Toy *t = toy_of(b);
  ToySandbox *s = find(t, ns, id);
  if (!s)
    return t->events->on_destroyed(t->arg, ns, id);
  if (s->ending)
    return;
  s->ending = true;
  loop_timer_start(s->timer, DESTROY_MS);
}

static void observe(Backend *b, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg) {
  for (ToySandbox *s = toy_of(b)->head, *next; s; s = next) {
    next = s->next;
    BackendSandbox v = view(s);
    if (!s->ending)
      fn(arg, &v);
  }
}

static bool exists(Backend *b, const char *ns, const char *id, const char *uid) {
  const ToySandbox *s = find(toy_of(b), ns, id);
  return s && !s->ending;
}

static void backend_free(Backend *b, bool kill) {
  Toy *t = toy_of(b);
  for (ToySandbox *s = t->head, *next; s; s = next) {
    next = s->next;
    sandbox_free(s);
  }
  free(t->folder);
  free(t);
}

static const BackendOps OPS = {
    .check = check, .create = create, .destroy = destroy, .observe = observe, .exists = exists, .free = backend_free};

/* What an earlier process left: up, with its mark. */
static void take_over(Toy *t, DIR *dir) {
  const struct dirent *e;
  while ((e = readdir(dir))) {
    CLEANUP(str_freep) char *ns = str_dup(e->d_name);
    char *dot = strchr(ns, '.');
    if (!dot || dot == ns)
      continue;
    *dot = 0;
    CLEANUP(str_freep) char *path = str_printf("%s/%s", t->folder, e->d_name);
    char epoch[EPOCH_MAX], nonce[33];
    FILE *f = fopen(path, "r");
    if (!f)
      continue;
    bool whole = fscanf(f, "%39s %32s", epoch, nonce) == 2;
    fclose(f);
    ToySandbox *s = whole ? sandbox_new(t, ns, dot + 1, epoch, nonce) : NULL;
    if (s)
      s->ready = true;
    else
      unlink(path);
  }
}

Backend *toy_backend_new(Loop *loop, const char *folder, const BackendEvents *events, void *arg, Error *err) {
  mkdir(folder, 0755);
  DIR *dir = opendir(folder);
  if (!dir) {
    error_set(err, ERROR_UNAVAILABLE, "%s: %s", folder, strerror(errno));
    return NULL;
  }
  Toy *t = new0(Toy);
  *t = (Toy){.base = {.ops = &OPS}, .loop = loop, .events = events, .arg = arg, .folder = str_dup(folder)};
  take_over(t, dir);
  closedir(dir);
  return &t->base;
}
