/* See local_backend.h. */
#include "services/reconciler/local/local_backend.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/local/sandbox.h"
#include "services/reconciler/local/sandbox_plan.h"
#include "services/reconciler/local/uid_pool.h"

/* At exit with destroy-on-exit. */
#define KILL_ALL_MS 20000

typedef struct Queued {
  struct Queued *next;
  Sandbox *sandbox;
  Manifest manifest;
} Queued;

typedef struct Local {
  Backend base;
  Loop *loop;
  BackendEvents events;
  void *arg;
  Machine machine;
  UidPool *uids;
  SandboxSite site;
  Sandbox *head;
  size_t n_starting, max_starting;
  Queued *queue, **queue_tail; /* that wait for others to start */
  bool starting_queued;
  bool stopping;
} Local;

static Local *local_of(Backend *b) {
  return (Local *)b;
}

/* ---- checking ---- */

static int parse(const char *text, Manifest *m, Error *err) {
  if (manifest_parse(text, strlen(text), m, err))
    return -1;
  if (m->kind == MANIFEST_TEMPLATE)
    return 0;
  manifest_deinit(m);
  return error_field(err, "kind", "must be SandboxTemplate");
}

static int check(Backend *b, const char *manifest, Arena *arena, BackendTemplate *ret, Error *err) {
  const Isolation *isolation;
  SandboxPlan plan;
  Manifest m = {0};
  if (parse(manifest, &m, err))
    return -1;
  const ManifestTemplate *t = &m.template_;
  int result = sandbox_plan_of(&local_of(b)->machine, t, &plan, &isolation, err);
  if (result == 0)
    *ret = (BackendTemplate){.ns = arena_strdup(arena, t->ns),
                             .name = arena_strdup(arena, t->name),
                             .manifest = arena_strdup(arena, t->canonical),
                             .hash = arena_strdup(arena, t->hash),
                             .image = arena_strdup(arena, t->image),
                             .runtime_class = isolation->class_name};
  manifest_deinit(&m);
  return result;
}

static const Isolation *isolation_of(void *arg, const char *class_name) {
  int i = machine_class(class_name);
  return i < 0 ? NULL : ((const Local *)arg)->machine.isolations[i];
}

/* ---- the list ---- */

static Sandbox *find(Local *l, const char *ns, const char *id) {
  for (Sandbox *s = l->head; s; s = *sandbox_next(s)) {
    BackendSandbox v = sandbox_view(s);
    if (strcmp(v.id, id) == 0 && strcmp(v.ns, ns) == 0)
      return s;
  }
  return NULL;
}

static void add(Local *l, Sandbox *s) {
  *sandbox_next(s) = l->head;
  l->head = s;
}

static void unlink_sandbox(Local *l, Sandbox *s) {
  for (Sandbox **at = &l->head; *at; at = sandbox_next(*at)) {
    if (*at != s)
      continue;
    *at = *sandbox_next(s);
    return;
  }
}

static void queued_free(Queued *q) {
  manifest_deinit(&q->manifest);
  free(q);
}

/* ---- starting, a few at a time ---- */

static void start_queued(Local *l);

static void on_ready(void *arg, Sandbox *s) {
  Local *l = arg;
  l->n_starting--;
  BackendSandbox v = sandbox_view(s);
  l->events.on_ready(l->arg, &v);
  start_queued(l);
}

static void on_ended(void *arg, Sandbox *s, const char *reason, const char *message) {
  Local *l = arg;
  BackendSandbox v = sandbox_view(s);
  if (sandbox_starting(s))
    l->n_starting--;
  l->events.on_ended(l->arg, v.ns, v.id, reason, message);
  start_queued(l);
}

static void on_gone(void *arg, Sandbox *s) {
  Local *l = arg;
  BackendSandbox v = sandbox_view(s);
  unlink_sandbox(l, s);
  uid_pool_give_back(l->uids, sandbox_host_uid(s));
  image_store_collect(l->machine.images);
  l->events.on_destroyed(l->arg, v.ns, v.id);
  if (l->stopping && !l->head)
    loop_stop(l->loop);
}

static int lend_user(Local *l, const Isolation *isolation, SandboxPlan *plan, Error *err) {
  if (!isolation->own_user || (plan->host_uid = uid_pool_take(l->uids)))
    return 0;
  return error_set(err, ERROR_RESOURCE_EXHAUSTED, "all %lld users for sandboxes are in use (--sandbox-uid-count)",
                   (long long)l->machine.config->sandbox_uid_count);
}

static void start_one(Local *l, Queued *q) {
  SandboxPlan plan = {0};
  const Isolation *isolation;
  Error err = {0};
  BackendSandbox v = sandbox_view(q->sandbox);
  plan.id = v.id;
  const char *reason = "StartFailed";
  if (sandbox_plan_of(&l->machine, &q->manifest.template_, &plan, &isolation, &err))
    reason = strstr(err.field, ".image") ? "ImageNotFound" : "TemplateNotSupported";
  else if (lend_user(l, isolation, &plan, &err) == 0) {
    l->n_starting++;
    return sandbox_start(q->sandbox, isolation, &plan);
  }
  l->events.on_ended(l->arg, v.ns, v.id, reason, err.message);
  sandbox_end(q->sandbox);
}

static void start_queued(Local *l) {
  /* one that fails at once comes back here from within start_one: the loop below goes on with the next then */
  if (l->starting_queued)
    return;
  l->starting_queued = true;
  while (l->queue && l->n_starting < l->max_starting && !l->stopping) {
    Queued *q = l->queue;
    l->queue = q->next;
    if (!l->queue)
      l->queue_tail = &l->queue;
    start_one(l, q);
    queued_free(q);
  }
  l->starting_queued = false;
}

static int create(Backend *b, const BackendSandbox *what, const char *manifest, Error *err) {
  Local *l = local_of(b);
  Error why;
  const Isolation *isolation = NULL;
  if (find(l, what->ns, what->id))
    return 0;
  Queued *q = new0(Queued);
  if (parse(manifest, &q->manifest, err)) {
    free(q);
    return -1;
  }
  BackendSandbox own = *what;
  own.runtime_class = sandbox_plan_isolation(&l->machine, q->manifest.template_.runtime_class, &isolation, &why) == 0
                          ? isolation->class_name
                          : "";
  q->sandbox = sandbox_new(&l->site, &own);
  add(l, q->sandbox);
  *l->queue_tail = q;
  l->queue_tail = &q->next;
  start_queued(l);
  return 0;
}

/* One that waits to be started has nothing in the world, but it must leave the line. */
static void drop_queued(Local *l, const Sandbox *s) {
  for (Queued **at = &l->queue; *at; at = &(*at)->next) {
    if ((*at)->sandbox != s)
      continue;
    Queued *q = *at;
    *at = q->next;
    if (!*at)
      l->queue_tail = at;
    return queued_free(q);
  }
}

static void destroy(Backend *b, const char *ns, const char *id) {
  Local *l = local_of(b);
  Sandbox *s = find(l, ns, id);
  if (!s)
    return l->events.on_destroyed(l->arg, ns, id);
  if (sandbox_ending(s))
    return;
  drop_queued(l, s);
  bool was_starting = sandbox_starting(s);
  sandbox_end(s);
  if (!was_starting)
    return;
  l->n_starting--;
  start_queued(l);
}

static void observe(Backend *b, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg) {
  for (Sandbox *s = local_of(b)->head; s; s = *sandbox_next(s)) {
    BackendSandbox v = sandbox_view(s);
    if (!sandbox_ending(s))
      fn(arg, &v);
  }
}

/* ---- what an earlier run left ---- */

/* A group or folder that nothing describes. Its processes may take their time to go, so it ends as a sandbox does. */
static void end_unknown(Local *l, const char *name) {
  const char *dot = strchr(name, '.');
  CLEANUP(str_freep) char *ns = str_ndup(name, dot ? (size_t)(dot - name) : 0);
  const char *id = dot ? dot + 1 : "";
  if (!dot || find(l, ns, id))
    return; /* not a name of ours, or met in another hierarchy already */
  Sandbox *s =
      sandbox_new(&l->site, &(BackendSandbox){.ns = ns, .pool = "", .id = id, .epoch = "", .runtime_class = ""});
  add(l, s);
  sandbox_end(s);
}

static void end_stray_group(void *arg, const char *name) {
  Local *l = arg;
  CLEANUP(str_freep) char *dir = str_printf("%s/%s", l->machine.folder, name);
  if (access(dir, F_OK) == 0)
    return; /* its folder says what it is */
  end_unknown(l, name);
}

static void take_over(Local *l) {
  DIR *dir = opendir(l->machine.folder);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (*e->d_name == '.')
      continue;
    Sandbox *s = sandbox_load(&l->site, e->d_name);
    if (s) {
      add(l, s);
      uid_pool_hold(l->uids, sandbox_host_uid(s));
      BackendSandbox v = sandbox_view(s);
      if (!v.ready)
        sandbox_end(s);
      continue;
    }
    /* half a folder: nothing was started before sandbox.json was there */
    end_unknown(l, e->d_name);
  }
  if (dir)
    closedir(dir);
  cgroup_each(l->machine.cgroups, end_stray_group, l);
}

static bool image_in_use(void *arg, const char *digest) {
  for (Sandbox *s = ((Local *)arg)->head; s; s = *sandbox_next(s))
    if (sandbox_uses_image(s, digest))
      return true;
  return false;
}

/* ---- life ---- */

static void on_kill_limit(void *arg) {
  loop_stop(arg);
}

static void kill_all(Local *l) {
  l->stopping = true;
  for (Sandbox *s = l->head; s; s = *sandbox_next(s))
    sandbox_end(s);
  if (!l->head)
    return;
  LoopTimer *limit = loop_timer_new(l->loop, on_kill_limit, l->loop);
  loop_timer_start(limit, KILL_ALL_MS);
  loop_run(l->loop);
  loop_timer_free(limit);
}

static void backend_free(Backend *b, bool kill) {
  Local *l = local_of(b);
  if (kill)
    kill_all(l);
  while (l->queue) {
    Queued *q = l->queue;
    l->queue = q->next;
    queued_free(q);
  }
  while (l->head) {
    Sandbox *s = l->head;
    l->head = *sandbox_next(s);
    sandbox_forget(s);
  }
  machine_deinit(&l->machine);
  uid_pool_free(l->uids);
  free(l);
}

static bool exists(Backend *b, const char *ns, const char *id, const char *uid) {
  return find(local_of(b), ns, id) != NULL;
}

static const BackendOps OPS = {
    .check = check, .create = create, .destroy = destroy, .observe = observe, .exists = exists, .free = backend_free};

int local_backend_check_config(const void *config, Error *err) {
  const char *wanted = ((const ReconcilerConfig *)config)->default_runtime_class;
  if (machine_class(wanted) >= 0)
    return 0;
  return error_field(err, "default-runtime-class", "--default-runtime-class: '%s' is not process or gvisor", wanted);
}

Backend *local_backend_new(Loop *loop, const ReconcilerConfig *config, const BackendEvents *events, void *arg,
                           Error *err) {
  Local *l = new0(Local);
  *l = (Local){.base = {.ops = &OPS}, .loop = loop, .events = *events, .arg = arg};
  l->queue_tail = &l->queue;
  l->uids = uid_pool_new((uid_t)config->sandbox_uid_base, (size_t)config->sandbox_uid_count);
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  l->max_starting = config->max_starting ? (size_t)config->max_starting : (size_t)(cores > 0 ? cores : 1);
  if (machine_init(&l->machine, loop, config, err)) {
    backend_free(&l->base, false);
    return NULL;
  }
  l->site = (SandboxSite){.loop = loop,
                          .cgroups = l->machine.cgroups,
                          .folder = l->machine.folder,
                          .start_timeout_ms = config->start_timeout_ms,
                          .handlers = {on_ready, on_ended, on_gone},
                          .isolation_of = isolation_of,
                          .arg = l};
  take_over(l);
  /* only now it is known what is in use */
  image_store_set_in_use(l->machine.images, image_in_use, l);
  image_store_collect(l->machine.images);
  return &l->base;
}

ImageStore *local_backend_images(Backend *b) {
  return local_of(b)->machine.images;
}

void local_backend_classes(Backend *b, void (*fn)(void *arg, const char *class_name, size_t n), void *arg) {
  Local *l = local_of(b);
  for (size_t i = 0; i < MACHINE_N_CLASSES; i++) {
    size_t n = 0;
    for (Sandbox *s = l->head; s; s = *sandbox_next(s))
      n += strcmp(sandbox_view(s).runtime_class, MACHINE_CLASSES[i]) == 0;
    fn(arg, MACHINE_CLASSES[i], n);
  }
}

const char *local_backend_about(const Backend *b, const char *class_name) {
  const Local *l = (const Local *)b;
  int i = machine_class(class_name);
  return i >= 0 && l->machine.isolations[i] ? l->machine.isolations[i]->about : NULL;
}

const char *local_backend_lacks(const Backend *b, const char *class_name) {
  const Local *l = (const Local *)b;
  int i = machine_class(class_name);
  if (i < 0)
    return NULL;
  return l->machine.isolations[i] ? l->machine.isolations[i]->lacks : l->machine.missing[i].message;
}
