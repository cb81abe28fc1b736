/* See local_backend.h. */
#include "services/reconciler/local/local_backend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/local/sandbox.h"
#include "services/reconciler/local/uid_pool.h"

/* What a template gets that sets no limit of its own. */
#define DEFAULT_MEMORY_BYTES ((int64_t)1 << 30)
#define DEFAULT_PIDS 512
/* Kept in memory; at most this share of the memory's limit, so that files alone never reach it: who writes too much is
 * told so (ENOSPC), and an eighth is left for processes. */
#define DEFAULT_WORKSPACE_BYTES ((int64_t)512 << 20)
#define WORKSPACE_SHARE 2
#define TMP_BYTES ((int64_t)256 << 20)
#define TMP_SHARE 4
#define SHM_BYTES ((int64_t)64 << 20)
#define SHM_SHARE 8
#define DEFAULT_UID 1000
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
  const ReconcilerConfig *config;
  BackendEvents events;
  void *arg;
  int lock_fd;
  CgroupTree *cgroups;
  UidPool *uids;
  ImageStore *images;
  Isolation *isolations[2];
  Error missing[2]; /* why isolations[i] is NULL */
  char *folder;
  SandboxSite site;
  Sandbox *head;
  size_t n_starting, max_starting;
  Queued *queue, **queue_tail; /* that wait for others to start */
  bool starting_queued;
  bool stopping;
} Local;

static const char *const CLASSES[] = {"gvisor", "process"};

static Local *local_of(Backend *b) {
  return (Local *)b;
}

/* ---- checking ---- */

static int fail_field(Error *err, const char *field, const char *what, const char *why) {
  error_set(err, ERROR_FAILED_PRECONDITION, "%s%s", what, why);
  snprintf(err->field, sizeof err->field, "%s", field);
  return -1;
}

#define SPEC "spec.podTemplate.spec."
#define CONTAINER SPEC "containers[0]."

static int find_isolation(const Local *l, const char *class_name, const Isolation **ret, Error *err) {
  const char *wanted = *class_name ? class_name : l->config->default_runtime_class;
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++) {
    if (strcmp(wanted, CLASSES[i]) != 0)
      continue;
    *ret = l->isolations[i];
    return *ret ? 0
                : fail_field(err, SPEC "runtimeClassName", "this machine cannot isolate it: ", l->missing[i].message);
  }
  return fail_field(err, SPEC "runtimeClassName", "the local backend has the classes gvisor and process, not ", wanted);
}

/* "1000", "1000:1000" or empty, as images have it; names would need the image's passwd. */
static bool parse_user(const char *user, int64_t *uid, int64_t *gid) {
  *uid = *gid = DEFAULT_UID;
  if (str_empty(user))
    return true;
  const char *colon = strchr(user, ':');
  CLEANUP(str_freep) char *head = str_ndup(user, colon ? (size_t)(colon - user) : strlen(user));
  if (str_to_int64(head, 0, 65533, uid))
    return false;
  *gid = *uid;
  return !colon || str_to_int64(colon + 1, 0, 65533, gid) == 0;
}

static int64_t at_most(int64_t bytes, int64_t limit) {
  return bytes < limit ? bytes : limit;
}

/* A size that the template states is on top of its memory, as it is where it is a disk's; else it is a part of it. */
static void plan_memory(const ManifestTemplate *t, SandboxPlan *p) {
  p->memory_bytes = t->memory_bytes ? t->memory_bytes : DEFAULT_MEMORY_BYTES;
  p->workspace_bytes =
      t->ephemeral_bytes ? t->ephemeral_bytes : at_most(DEFAULT_WORKSPACE_BYTES, p->memory_bytes / WORKSPACE_SHARE);
  p->extra_file_bytes = t->ephemeral_bytes;
  p->tmp_bytes = at_most(TMP_BYTES, p->memory_bytes / TMP_SHARE);
  p->shm_bytes = at_most(SHM_BYTES, p->memory_bytes / SHM_SHARE);
}

static int plan_of(const Local *l, const ManifestTemplate *t, SandboxPlan *p, const Isolation **isolation, Error *err) {
  if (find_isolation(l, t->runtime_class, isolation, err))
    return -1;
  if (image_store_find(l->images, t->image, &p->image) == IMAGE_MISSING)
    return fail_field(err, CONTAINER "image", "no such image; bring it in with: sandctl image import FILE --reference ",
                      t->image);
  if (!parse_user(p->image.user, &p->uid, &p->gid))
    return fail_field(err, CONTAINER "image", "its user is not a number: ", p->image.user);
  if (t->run_as_user > 0)
    p->uid = t->run_as_user;
  if (t->run_as_group >= 0)
    p->gid = t->run_as_group;
  else if (t->run_as_user > 0)
    p->gid = t->run_as_user;
  if (p->uid == 0)
    return fail_field(err, CONTAINER "securityContext.runAsUser",
                      "the image's user is root, and commands never run as root", "; set another");
  if (t->cpu_milli && !cgroup_has_cpu(l->cgroups))
    return fail_field(err, CONTAINER "resources.limits.cpu", "there is no cpu controller here", "");
  if (t->ready_port && (t->ready_port != 8888 || strcmp(t->ready_path, "/") != 0))
    return fail_field(err, CONTAINER "readinessProbe.httpGet", "only port 8888 and path / answer before a claim", "");
  p->working_dir = *t->working_dir ? t->working_dir : p->image.working_dir;
  if (strcmp(p->working_dir, p->image.working_dir) != 0 && !str_starts_with(p->working_dir, "/tmp/"))
    return fail_field(err, CONTAINER "workingDir", "must be the image's own, ", p->image.working_dir);
  plan_memory(t, p);
  p->pids = t->pids ? t->pids : DEFAULT_PIDS;
  p->cpu_milli = t->cpu_milli;
  p->env = t->env;
  p->n_env = t->n_env;
  return 0;
}

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
  int result = plan_of(local_of(b), t, &plan, &isolation, err);
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
  const Local *l = arg;
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
    if (strcmp(CLASSES[i], class_name) == 0)
      return l->isolations[i];
  return NULL;
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
  image_store_collect(l->images);
  l->events.on_destroyed(l->arg, v.ns, v.id);
  if (l->stopping && !l->head)
    loop_stop(l->loop);
}

static int lend_user(Local *l, const Isolation *isolation, SandboxPlan *plan, Error *err) {
  if (!isolation->own_user || (plan->host_uid = uid_pool_take(l->uids)))
    return 0;
  return error_set(err, ERROR_RESOURCE_EXHAUSTED, "all %lld users for sandboxes are in use (--sandbox-uid-count)",
                   (long long)l->config->sandbox_uid_count);
}

static void start_one(Local *l, Queued *q) {
  SandboxPlan plan = {0};
  const Isolation *isolation;
  Error err = {0};
  BackendSandbox v = sandbox_view(q->sandbox);
  plan.id = v.id;
  const char *reason = "StartFailed";
  if (plan_of(l, &q->manifest.template_, &plan, &isolation, &err))
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
  own.runtime_class =
      find_isolation(l, q->manifest.template_.runtime_class, &isolation, &why) == 0 ? isolation->class_name : "";
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
  CLEANUP(str_freep) char *dir = str_printf("%s/%s", l->folder, name);
  if (access(dir, F_OK) == 0)
    return; /* its folder says what it is */
  end_unknown(l, name);
}

static void take_over(Local *l) {
  DIR *dir = opendir(l->folder);
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
  cgroup_each(l->cgroups, end_stray_group, l);
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
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
    if (l->isolations[i])
      l->isolations[i]->free(l->isolations[i]);
  image_store_free(l->images);
  uid_pool_free(l->uids);
  cgroup_tree_free(l->cgroups);
  if (l->lock_fd >= 0)
    close(l->lock_fd);
  free(l->folder);
  free(l);
}

static bool exists(Backend *b, const char *ns, const char *id, const char *uid) {
  return find(local_of(b), ns, id) != NULL;
}

static const BackendOps OPS = {
    .check = check, .create = create, .destroy = destroy, .observe = observe, .exists = exists, .free = backend_free};

int local_backend_check_config(const void *config, Error *err) {
  const char *wanted = ((const ReconcilerConfig *)config)->default_runtime_class;
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
    if (strcmp(wanted, CLASSES[i]) == 0)
      return 0;
  return error_field(err, "default-runtime-class", "--default-runtime-class: '%s' is not process or gvisor", wanted);
}

/* Beside this program, unless it is configured. */
static char *beside(const char *given, const char *name) {
  if (*given)
    return realpath(given, NULL);
  char self[512];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0)
    return NULL;
  self[n] = 0;
  *strrchr(self, '/') = 0;
  CLEANUP(str_freep) char *path = str_printf("%s/%s", self, name);
  return realpath(path, NULL);
}

/* One reconciler owns a data folder. The lock goes with the process, however it ends. */
static int lock(Local *l, Error *err) {
  const char *data = l->config->data_dir;
  if (mkdir(data, 0755) && errno != EEXIST)
    return error_set(err, ERROR_UNAVAILABLE, "--data-dir %s: %s", data, strerror(errno));
  CLEANUP(str_freep) char *path = str_printf("%s/reconciler.lock", data);
  l->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (l->lock_fd < 0)
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", path, strerror(errno));
  if (flock(l->lock_fd, LOCK_EX | LOCK_NB))
    return error_set(err, ERROR_UNAVAILABLE, "%s is in use by another reconciler", data);
  return 0;
}

static int open_all(Local *l, Error *err) {
  const ReconcilerConfig *c = l->config;
  if (geteuid() != 0)
    return error_set(err, ERROR_UNAVAILABLE, "the local backend needs root, to make control groups and namespaces");
  CLEANUP(str_freep) char *runtime = beside(c->runtime_binary, "sandplane-runtime");
  CLEANUP(str_freep) char *unpack = beside(c->unpack_binary, "sandplane-unpack");
  if (!runtime)
    return error_set(err, ERROR_UNAVAILABLE, "sandplane-runtime is not found; see --runtime-binary");
  if (!unpack)
    return error_set(err, ERROR_UNAVAILABLE, "sandplane-unpack is not found; see --unpack-binary");
  /* sandboxes' users and programs of other users read what is made here; what nobody may read is made with its mode */
  umask(022);
  if (lock(l, err))
    return -1;
  CLEANUP(str_freep) char *data = realpath(c->data_dir, NULL);
  if (!data)
    return error_set(err, ERROR_UNAVAILABLE, "--data-dir %s: %s", c->data_dir, strerror(errno));
  CLEANUP(str_freep) char *images = str_printf("%s/images", data);
  l->folder = str_printf("%s/sandboxes", data);
  /* nobody else has anything to look for in it: a sandbox gets descriptors and mounts, never a path of it */
  if ((mkdir(l->folder, 0711) && errno != EEXIST) || chmod(l->folder, 0711))
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", l->folder, strerror(errno));
  /* the data folder's own groups, so that several stacks on a machine keep apart */
  CLEANUP(str_freep) char *parent = str_printf("sandplane-%08x", str_fnv1a32(data, strlen(data)));
  if (!(l->cgroups = cgroup_tree_new(c->cgroup_root, parent, err)))
    return -1;
  if (!(l->images = image_store_new(l->loop, images, unpack, err)))
    return -1;
  IsolationSite site = {.cgroups = l->cgroups, .scratch = data};
  l->isolations[0] = isolation_gvisor_new(c, runtime, &site, &l->missing[0]);
  l->isolations[1] = isolation_process_new(c, runtime, &site, &l->missing[1]);
  return 0;
}

Backend *local_backend_new(Loop *loop, const ReconcilerConfig *config, const BackendEvents *events, void *arg,
                           Error *err) {
  Local *l = new0(Local);
  *l = (Local){.base = {.ops = &OPS}, .loop = loop, .config = config, .events = *events, .arg = arg, .lock_fd = -1};
  l->queue_tail = &l->queue;
  l->uids = uid_pool_new((uid_t)config->sandbox_uid_base, (size_t)config->sandbox_uid_count);
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  l->max_starting = config->max_starting ? (size_t)config->max_starting : (size_t)(cores > 0 ? cores : 1);
  if (open_all(l, err)) {
    backend_free(&l->base, false);
    return NULL;
  }
  l->site = (SandboxSite){.loop = loop,
                          .cgroups = l->cgroups,
                          .folder = l->folder,
                          .start_timeout_ms = config->start_timeout_ms,
                          .handlers = {on_ready, on_ended, on_gone},
                          .isolation_of = isolation_of,
                          .arg = l};
  take_over(l);
  /* only now it is known what is in use */
  image_store_set_in_use(l->images, image_in_use, l);
  image_store_collect(l->images);
  return &l->base;
}

ImageStore *local_backend_images(Backend *b) {
  return local_of(b)->images;
}

void local_backend_classes(Backend *b, void (*fn)(void *arg, const char *class_name, size_t n), void *arg) {
  Local *l = local_of(b);
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++) {
    size_t n = 0;
    for (Sandbox *s = l->head; s; s = *sandbox_next(s))
      n += strcmp(sandbox_view(s).runtime_class, CLASSES[i]) == 0;
    fn(arg, CLASSES[i], n);
  }
}

const char *local_backend_about(const Backend *b, const char *class_name) {
  const Local *l = (const Local *)b;
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
    if (strcmp(CLASSES[i], class_name) == 0 && l->isolations[i])
      return l->isolations[i]->about;
  return NULL;
}

const char *local_backend_lacks(const Backend *b, const char *class_name) {
  const Local *l = (const Local *)b;
  for (size_t i = 0; i < ARRAY_LEN(CLASSES); i++)
    if (strcmp(CLASSES[i], class_name) == 0)
      return l->isolations[i] ? l->isolations[i]->lacks : l->missing[i].message;
  return NULL;
}
