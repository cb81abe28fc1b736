/* See sandbox.h. */
#include "services/reconciler/local/sandbox.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/local/pressure.h"
#include "services/reconciler/local/probe.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/subprocess.h"

/* Readiness is asked for often at first, because a sandbox is up within tens of milliseconds. */
#define PROBE_FIRST_MS 3
#define PROBE_MAX_MS 100
#define PROBE_TIMEOUT_MS 2000
/* Between looks whether the last process of an ending sandbox is gone. */
#define END_POLL_MS 3
#define END_POLL_MAX_MS 200

typedef enum Phase { NEW, STARTING, READY, ENDING } Phase;

struct Sandbox {
  Sandbox *next;
  SandboxSite site;
  char *ns, *pool, *id, *epoch, *class_name, *name, *dir;
  char *image; /* digest; NULL: not started yet, or found without it */
  char route[256];
  Phase phase;
  pid_t pid;
  unsigned long long pid_start;
  PidWatch *launcher, *life;
  Probe *probe;
  LoopTimer *timer;
  int64_t deadline_ms, delay_ms;
  const Isolation *isolation; /* NULL: not started yet, or it does not work any more */
  Pressure *pressure;
  int oom_fd; /* of cgroup_oom_watch, or -1 */
  LoopFd *oom_watch;
  bool out_of_memory;
  int64_t oom_kills; /* of before, when nobody was watching: no reason for an end of now */
  /* see Isolation; 0: not known, or none of a command's errors can end it */
  bool ends_as_a_whole;
  int64_t memory_bytes;       /* that may be used inside */
  int64_t group_bytes, tasks; /* that all of it may have on the machine, with as many processes as it may have */
  int64_t base_bytes;         /* of group_bytes, with none */
  uid_t host_uid;             /* see SandboxPlan */
};

Sandbox **sandbox_next(Sandbox *s) {
  return &s->next;
}
bool sandbox_starting(const Sandbox *s) {
  return s->phase == STARTING;
}
bool sandbox_ending(const Sandbox *s) {
  return s->phase == ENDING;
}

uid_t sandbox_host_uid(const Sandbox *s) {
  return s->host_uid;
}

bool sandbox_uses_image(const Sandbox *s, const char *digest) {
  return s->image ? strcmp(s->image, digest) == 0 : s->phase != NEW;
}

BackendSandbox sandbox_view(const Sandbox *s) {
  return (BackendSandbox){.ns = s->ns,
                          .pool = s->pool,
                          .id = s->id,
                          .epoch = s->epoch,
                          .route = s->route,
                          .runtime_class = s->class_name,
                          .ready = s->phase == READY};
}

static void on_timer(void *arg);

Sandbox *sandbox_new(const SandboxSite *site, const BackendSandbox *what) {
  Sandbox *s = new0(Sandbox);
  *s = (Sandbox){.site = *site,
                 .ns = str_dup(what->ns),
                 .pool = str_dup(what->pool),
                 .id = str_dup(what->id),
                 .epoch = str_dup(what->epoch),
                 .class_name = str_dup(what->runtime_class),
                 .name = str_printf("%s.%s", what->ns, what->id),
                 .oom_fd = -1};
  s->dir = str_printf("%s/%s", site->folder, s->name);
  s->timer = loop_timer_new(site->loop, on_timer, s);
  return s;
}

static void unwatch_memory(Sandbox *s) {
  pressure_free(s->pressure);
  s->pressure = NULL;
  loop_fd_free(s->oom_watch);
  s->oom_watch = NULL;
  if (s->oom_fd >= 0)
    close(s->oom_fd);
  s->oom_fd = -1;
}

void sandbox_forget(Sandbox *s) {
  unwatch_memory(s);
  pid_watch_free(s->launcher);
  pid_watch_free(s->life);
  probe_free(s->probe);
  loop_timer_free(s->timer);
  char *texts[] = {s->ns, s->pool, s->id, s->epoch, s->class_name, s->name, s->dir, s->image};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    free(texts[i]);
  free(s);
}

/* ---- on disk ---- */

static int save(const Sandbox *s, Error *err) {
  CLEANUP(str_freep) char *path = str_printf("%s/sandbox.json", s->dir);
  CLEANUP(str_freep) char *temp = str_printf("%s/.sandbox.json", s->dir);
  json_t *o =
      json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:I}", "namespace", s->ns, "pool", s->pool, "id",
                s->id, "epoch", s->epoch, "class", s->class_name, "image", s->image ? s->image : "", "route",
                s->phase == READY ? s->route : "", "pid", (int)s->pid, "pid_start", (json_int_t)s->pid_start,
                "memory_bytes", (json_int_t)s->memory_bytes, "base_bytes", (json_int_t)s->base_bytes, "group_bytes",
                (json_int_t)s->group_bytes, "tasks", (json_int_t)s->tasks, "host_uid", (json_int_t)s->host_uid);
  int rc = o && json_dump_file(o, temp, JSON_INDENT(2)) == 0 && rename(temp, path) == 0 ? 0 : -1;
  json_decref(o);
  return rc ? error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno)) : 0;
}

/* ---- ending ---- */

static void look_for_end(Sandbox *s) {
  cgroup_kill(s->site.cgroups, s->name);
  /* our own child is reaped by its watch: until then it is still there */
  if (s->launcher || s->life || !cgroup_remove(s->site.cgroups, s->name)) {
    loop_timer_start(s->timer, s->delay_ms);
    s->delay_ms = s->delay_ms * 2 > END_POLL_MAX_MS ? END_POLL_MAX_MS : s->delay_ms * 2;
    return;
  }
  remove_tree(s->dir);
  s->site.handlers.on_gone(s->site.arg, s);
  sandbox_forget(s);
}

void sandbox_end(Sandbox *s) {
  if (s->phase == ENDING)
    return;
  s->phase = ENDING;
  probe_free(s->probe);
  s->probe = NULL;
  unwatch_memory(s);
  s->delay_ms = END_POLL_MS;
  cgroup_kill(s->site.cgroups, s->name);
  loop_timer_start(s->timer, 0);
}

/* Why the last line of the launcher's output says it failed. */
static void read_last_line(const Sandbox *s, char *out, size_t max) {
  CLEANUP(str_freep) char *path = str_printf("%s/log", s->dir);
  char text[4096];
  FILE *f = fopen(path, "re");
  if (f)
    fseek(f, -(long)sizeof text + 1, SEEK_END);
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f && n == 0) {
    rewind(f);
    n = fread(text, 1, sizeof text - 1, f);
  }
  if (f)
    fclose(f);
  while (n > 0 && text[n - 1] == '\n')
    n--;
  text[n] = 0;
  char *line = strrchr(text, '\n');
  snprintf(out, max, "%.300s", line ? line + 1 : text);
  str_repair_utf8(out);
}

static void fail(Sandbox *s, const char *reason, const char *message) {
  if (s->phase == ENDING)
    return;
  char limit[160];
  if (s->out_of_memory || cgroup_oom_kills(s->site.cgroups, s->name) > s->oom_kills) {
    reason = "OutOfMemory";
    snprintf(limit, sizeof limit, "the sandbox used more memory than its limit of %lld MiB",
             (long long)(s->memory_bytes >> 20));
    message = limit;
  } else if (s->ends_as_a_whole && cgroup_pids_refused(s->site.cgroups, s->name) > 0) {
    reason = "OutOfProcesses";
    snprintf(limit, sizeof limit,
             "the sandbox's isolation reached the limit of %lld tasks on the machine that one sandbox may have",
             (long long)s->tasks);
    message = limit;
  }
  s->site.handlers.on_ended(s->site.arg, s, reason, message);
  sandbox_end(s);
}

static void on_out_of_memory(int events, void *arg) {
  Sandbox *s = arg;
  s->out_of_memory = true;
  fail(s, "OutOfMemory", "");
}

static pid_t relieve(void *arg, Error *err) {
  const Sandbox *s = arg;
  log_event(LOG_INFO, "sandbox_short_of_memory", LOG_STR("sandbox", s->id));
  return s->isolation->relieve(s->isolation, s->id, s->dir, err);
}

/* Some tasks of the machine are one process inside; to guess too many costs nothing but exactness. */
#define TASKS_OF_A_PROCESS 2

static int64_t allowance(void *arg) {
  const Sandbox *s = arg;
  int64_t bytes = cgroup_pids_current(s->site.cgroups, s->name) / TASKS_OF_A_PROCESS * s->isolation->memory_per_process;
  int64_t most = s->group_bytes - s->base_bytes;
  return bytes < most ? bytes : most;
}

static void on_hopeless(void *arg) {
  Sandbox *s = arg;
  s->out_of_memory = true;
  fail(s, "OutOfMemory", "");
}

/* Half of an isolation isolates nothing: it ends as a whole. Where the kernel kills a command, that is the command's.
 */
static int watch_memory(Sandbox *s, Error *err) {
  if (!s->ends_as_a_whole)
    return 0;
  if (s->isolation && s->isolation->relieve && s->group_bytes > 0) {
    s->pressure = pressure_new(&(PressureSpec){.loop = s->site.loop,
                                               .cgroups = s->site.cgroups,
                                               .group = s->name,
                                               .limit_bytes = s->base_bytes,
                                               .allowance = allowance,
                                               .relieve = relieve,
                                               .on_hopeless = on_hopeless,
                                               .arg = s},
                               err);
    return s->pressure ? 0 : -1;
  }
  if (cgroup_oom_watch(s->site.cgroups, s->name, &s->oom_fd, err))
    return -1;
  if (s->oom_fd >= 0)
    s->oom_watch = loop_fd_new(s->site.loop, s->oom_fd, LOOP_READ, on_out_of_memory, s);
  return 0;
}

/* ---- starting ---- */

static bool was_killed(int status) {
  /* -1: no child of ours; 128 and the signal: what bubblewrap makes of it */
  return status == -1 || WIFSIGNALED(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGKILL);
}

static void on_life_ended(void *arg, int status) {
  Sandbox *s = arg;
  char line[320], message[400];
  s->life = NULL;
  /* a command that was killed for want of memory some time ago is no reason for the end of now */
  if (!s->ends_as_a_whole && !was_killed(status))
    s->oom_kills = INT64_MAX;
  read_last_line(s, line, sizeof line);
  if (s->phase == READY)
    snprintf(message, sizeof message, "the sandbox's process ended by itself");
  else
    snprintf(message, sizeof message, "the sandbox ended while it was starting: %s", line);
  fail(s, s->phase == READY ? "Terminated" : "StartFailed", message);
}

static void watch_life(Sandbox *s) {
  s->pid_start = pid_start_time(s->pid);
  s->life = pid_watch_new(s->site.loop, s->pid, on_life_ended, s);
}

static void probe_later(Sandbox *s) {
  loop_timer_start(s->timer, s->delay_ms);
}

static void on_probed(void *arg, bool ok) {
  Sandbox *s = arg;
  s->probe = NULL;
  if (!ok && loop_now_ms(s->site.loop) > s->deadline_ms)
    return fail(s, "StartTimeout", "the sandbox did not become ready in time");
  if (!ok) {
    s->delay_ms = s->delay_ms * 2 > PROBE_MAX_MS ? PROBE_MAX_MS : s->delay_ms * 2;
    return probe_later(s);
  }
  Error err;
  s->phase = READY;
  if (save(s, &err)) {
    s->phase = STARTING; /* nobody was told it was ready, and its place among the starting is still taken */
    return fail(s, "StartFailed", err.message);
  }
  s->site.handlers.on_ready(s->site.arg, s);
}

static void on_timer(void *arg) {
  Sandbox *s = arg;
  if (s->phase == ENDING)
    return look_for_end(s);
  if (s->launcher)
    return fail(s, "StartTimeout", "the sandbox's launcher did not end in time");
  s->probe = probe_new(s->site.loop, s->route, PROBE_TIMEOUT_MS, on_probed, s);
}

static void on_launched(void *arg, int status) {
  Sandbox *s = arg;
  s->launcher = NULL;
  if (s->phase == ENDING)
    return;
  char line[320];
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    read_last_line(s, line, sizeof line);
    return fail(s, "StartFailed", *line ? line : "the sandbox's launcher failed");
  }
  CLEANUP(str_freep) char *path = str_printf("%s/pid", s->dir);
  FILE *f = fopen(path, "re");
  if (f && fgets(line, sizeof line, f))
    s->pid = (pid_t)str_leading_int64(line, 0);
  if (f)
    fclose(f);
  if (s->pid > 0)
    watch_life(s);
  if (!s->life)
    return fail(s, "StartFailed", "the sandbox ended at once");
  probe_later(s);
}

static int begin(Sandbox *s, const Isolation *isolation, SandboxPlan *plan, Error *err) {
  CLEANUP(str_freep) char *run = str_printf("%s/run", s->dir);
  plan->dir = s->dir;
  plan->cgroup = s->name;
  CgroupLimits limits = {.memory_bytes = plan->memory_bytes + plan->extra_file_bytes + isolation->extra_memory_bytes +
                                         plan->pids * isolation->memory_per_process,
                         .pids = plan->pids * (1 + isolation->pids_per_process) + isolation->extra_pids,
                         .cpu_milli = plan->cpu_milli};
  s->isolation = isolation;
  s->ends_as_a_whole = isolation->ends_as_a_whole;
  s->memory_bytes = plan->memory_bytes + plan->extra_file_bytes;
  s->group_bytes = limits.memory_bytes;
  s->base_bytes = limits.memory_bytes - plan->pids * isolation->memory_per_process;
  s->tasks = limits.pids;
  if (isolation->relieve)
    limits.memory_bytes += PRESSURE_RESERVE_BYTES;
  /* a folder that is there already is not ours to start in: a sandbox's name is used once */
  if (mkdir(s->dir, 0700) || mkdir(run, 0755))
    return error_set(err, ERROR_INTERNAL, "%s: %s", s->dir, strerror(errno));
  if (save(s, err))
    return -1;
  if (cgroup_create(s->site.cgroups, s->name, &limits, err) || watch_memory(s, err))
    return -1;
  s->pid = isolation->launch(isolation, plan, s->site.cgroups, s->route, sizeof s->route, err);
  return s->pid < 0 ? -1 : 0;
}

void sandbox_start(Sandbox *s, const Isolation *isolation, SandboxPlan *plan) {
  Error err = {0};
  s->phase = STARTING;
  s->host_uid = plan->host_uid;
  s->image = str_dup(plan->image.digest ? plan->image.digest : "");
  s->deadline_ms = loop_now_ms(s->site.loop) + s->site.start_timeout_ms;
  s->delay_ms = PROBE_FIRST_MS;
  if (begin(s, isolation, plan, &err))
    return fail(s, "StartFailed", err.message);
  if (isolation->detaches) {
    s->launcher = pid_watch_new(s->site.loop, s->pid, on_launched, s);
    if (!s->launcher)
      return fail(s, "StartFailed", "the sandbox's launcher cannot be watched");
    s->pid = 0;
    /* a launcher that hangs must not keep its place among the few that may start at once */
    loop_timer_start(s->timer, s->site.start_timeout_ms);
    return;
  }
  watch_life(s);
  if (!s->life)
    return fail(s, "StartFailed", "the sandbox ended at once");
  probe_later(s);
}

/* ---- found again ---- */

static const char *text(const json_t *o, const char *key) {
  const char *s = json_string_value(json_object_get(o, key));
  return s ? s : "";
}

static void take_over(Sandbox *s) {
  Error err;
  s->phase = READY;
  s->oom_kills = cgroup_oom_kills(s->site.cgroups, s->name);
  /* no reason to end what runs */
  if (watch_memory(s, &err))
    log_event(LOG_WARN, "memory_not_watched", LOG_STR("sandbox", s->id), LOG_STR("reason", err.message));
}

Sandbox *sandbox_load(const SandboxSite *site, const char *folder_name) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s/sandbox.json", site->folder, folder_name);
  json_t *o = json_load_file(path, 0, NULL);
  BackendSandbox what = {.ns = text(o, "namespace"),
                         .pool = text(o, "pool"),
                         .id = text(o, "id"),
                         .epoch = text(o, "epoch"),
                         .runtime_class = text(o, "class")};
  CLEANUP(str_freep) char *name = str_printf("%s.%s", what.ns, what.id);
  Sandbox *s = strcmp(name, folder_name) == 0 ? sandbox_new(site, &what) : NULL;
  if (s) {
    snprintf(s->route, sizeof s->route, "%s", text(o, "route"));
    if (*text(o, "image"))
      s->image = str_dup(text(o, "image"));
    s->pid = (pid_t)json_integer_value(json_object_get(o, "pid"));
    s->pid_start = (unsigned long long)json_integer_value(json_object_get(o, "pid_start"));
    s->memory_bytes = json_integer_value(json_object_get(o, "memory_bytes"));
    s->base_bytes = json_integer_value(json_object_get(o, "base_bytes"));
    s->group_bytes = json_integer_value(json_object_get(o, "group_bytes"));
    s->tasks = json_integer_value(json_object_get(o, "tasks"));
    s->host_uid = (uid_t)json_integer_value(json_object_get(o, "host_uid"));
    /* the number may be another process's by now; with the time it began it is not */
    bool alive = s->pid > 0 && *s->route && pid_start_time(s->pid) == s->pid_start;
    if (site->isolation_of)
      s->isolation = site->isolation_of(site->arg, s->class_name);
    s->ends_as_a_whole = s->isolation && s->isolation->ends_as_a_whole;
    if (alive)
      watch_life(s);
    if (s->life)
      take_over(s);
  }
  json_decref(o);
  return s;
}
