/* See cgroup.h. */
#include "services/reconciler/local/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define PATH_MAX_LEN 512
/* The kernel's own default period (Documentation/scheduler/sched-bwc). */
#define CPU_PERIOD_US 100000

struct CgroupTree {
  bool v2, cpu;
  size_t n;
  char *dirs[CGROUP_FDS_MAX]; /* our folder in each hierarchy: [0] memory (all of v2), [1] pids, [2] cpu */
};

static int write_file(const char *dir, const char *file, const char *value) {
  char path[PATH_MAX_LEN];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return -1;
  ssize_t n = write(fd, value, strlen(value));
  int why = errno;
  close(fd);
  errno = why;
  return n < 0 ? -1 : 0;
}

static bool read_file(const char *dir, const char *file, char *out, size_t max) {
  char path[PATH_MAX_LEN];
  snprintf(path, sizeof path, "%s/%s", dir, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, out, max - 1) : -1;
  if (fd >= 0)
    close(fd);
  out[n > 0 ? n : 0] = 0;
  return n >= 0;
}

/* "cpu" is in "cpuset memory cpu", not in "cpuset memory". */
static bool has_word(const char *text, const char *word) {
  size_t len = strlen(word);
  for (const char *p = text; *(p += strspn(p, " \n")); p += strcspn(p, " \n"))
    if (strcspn(p, " \n") == len && memcmp(p, word, len) == 0)
      return true;
  return false;
}

static int add_dir(CgroupTree *t, const char *base, const char *parent, Error *err) {
  char *dir = str_printf("%s/%s", base, parent);
  if (mkdir(dir, 0755) && errno != EEXIST) {
    error_set(err, ERROR_UNAVAILABLE, "cannot make control group %s: %s (root is needed)", dir, strerror(errno));
    free(dir);
    return -1;
  }
  t->dirs[t->n++] = dir;
  return 0;
}

static int open_v2(CgroupTree *t, const char *root, const char *parent, Error *err) {
  char text[1024];
  t->v2 = true;
  if (!read_file(root, "cgroup.controllers", text, sizeof text) || !has_word(text, "memory") || !has_word(text, "pids"))
    return error_set(err, ERROR_UNAVAILABLE, "%s has no memory and pids controllers", root);
  t->cpu = has_word(text, "cpu");
  write_file(root, "cgroup.subtree_control", t->cpu ? "+memory +pids +cpu" : "+memory +pids");
  if (add_dir(t, root, parent, err))
    return -1;
  if (write_file(t->dirs[0], "cgroup.subtree_control", t->cpu ? "+memory +pids +cpu" : "+memory +pids"))
    return error_set(err, ERROR_UNAVAILABLE, "cannot use the controllers in %s: %s", t->dirs[0], strerror(errno));
  return 0;
}

static int open_v1(CgroupTree *t, const char *root, const char *parent, Error *err) {
  static const char *const NAMES[] = {"memory", "pids", "cpu"};
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
    CLEANUP(str_freep) char *base = str_printf("%s/%s", root, NAMES[i]);
    if (access(base, F_OK)) {
      if (i < 2)
        return error_set(err, ERROR_UNAVAILABLE, "there is no %s controller at %s: sandboxes could not be limited",
                         NAMES[i], base);
      return 0;
    }
    if (add_dir(t, base, parent, err))
      return -1;
  }
  t->cpu = true;
  return 0;
}

CgroupTree *cgroup_tree_new(const char *root, const char *parent, Error *err) {
  CgroupTree *t = new0(CgroupTree);
  CLEANUP(str_freep) char *unified = str_printf("%s/cgroup.controllers", root);
  int rc = access(unified, F_OK) == 0 ? open_v2(t, root, parent, err) : open_v1(t, root, parent, err);
  if (rc == 0)
    return t;
  cgroup_tree_free(t);
  return NULL;
}

void cgroup_tree_free(CgroupTree *t) {
  if (!t)
    return;
  for (size_t i = 0; i < t->n; i++) {
    rmdir(t->dirs[i]);
    free(t->dirs[i]);
  }
  free(t);
}

bool cgroup_has_cpu(const CgroupTree *t) {
  return t->cpu;
}

static void group_path(const CgroupTree *t, size_t i, const char *name, char out[PATH_MAX_LEN]) {
  snprintf(out, PATH_MAX_LEN, "%s/%s", t->dirs[i], name);
}

static int set(const CgroupTree *t, size_t v1_dir, const char *name, const char *v1_file, const char *v2_file,
               const char *value, Error *err) {
  char dir[PATH_MAX_LEN];
  group_path(t, t->v2 ? 0 : v1_dir, name, dir);
  const char *file = t->v2 ? v2_file : v1_file;
  if (write_file(dir, file, value) == 0)
    return 0;
  return error_set(err, ERROR_UNAVAILABLE, "cannot write %s to %s/%s: %s", value, dir, file, strerror(errno));
}

static int set_limits(CgroupTree *t, const char *name, const CgroupLimits *l, Error *err) {
  char value[64];
  if (l->memory_bytes) {
    snprintf(value, sizeof value, "%lld", (long long)l->memory_bytes);
    if (set(t, 0, name, "memory.limit_in_bytes", "memory.max", value, err))
      return -1;
    /* swap must not be a way around it; where the kernel does not count swap, there is no file */
    Error none;
    if (t->v2)
      set(t, 0, name, "", "memory.swap.max", "0", &none);
    else
      set(t, 0, name, "memory.memsw.limit_in_bytes", "", value, &none);
  }
  if (l->pids) {
    snprintf(value, sizeof value, "%lld", (long long)l->pids);
    if (set(t, 1, name, "pids.max", "pids.max", value, err))
      return -1;
  }
  if (l->cpu_milli && t->cpu) {
    long long quota = (long long)l->cpu_milli * CPU_PERIOD_US / 1000;
    if (quota < 1000)
      quota = 1000; /* the kernel's minimum */
    snprintf(value, sizeof value, t->v2 ? "%lld 100000" : "%lld", quota);
    if (set(t, 2, name, "cpu.cfs_quota_us", "cpu.max", value, err))
      return -1;
  }
  return 0;
}

/* Our own folders, as if they were a group's: a name that means the folder itself. */
#define ALL "."

int cgroup_limit_all(CgroupTree *t, const CgroupLimits *limits, Error *err) {
  const CgroupLimits some = {.memory_bytes = limits->memory_bytes, .pids = limits->pids};
  Error none;
  if (!t->v2) {
    /* kernels before 5.11 count a child's memory as its parent's only so */
    write_file(t->dirs[0], "memory.use_hierarchy", "1");
    /* or a limit that is to be higher than the last one would be above it */
    set(t, 0, ALL, "memory.memsw.limit_in_bytes", "", "-1", &none);
  }
  return set_limits(t, ALL, &some, err);
}

int64_t cgroup_all_memory(CgroupTree *t) {
  char text[8192];
  const char *key = t->v2 ? "\ninactive_file " : "\ntotal_inactive_file ";
  const char *at = read_file(t->dirs[0], "memory.stat", text, sizeof text) ? strstr(text, key) : NULL;
  return cgroup_memory_used(t, ALL) - (at ? str_leading_int64(at + strlen(key), 0) : 0);
}

int64_t cgroup_all_pids(CgroupTree *t) {
  return cgroup_pids_current(t, ALL);
}

bool cgroup_met_own_limit(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN], text[256];
  group_path(t, 0, name, dir);
  if (!read_file(dir, t->v2 ? "memory.events.local" : "memory.failcnt", text, sizeof text))
    return true;
  const char *at = t->v2 ? strstr(text, "max ") : text;
  return !at || str_leading_int64(t->v2 ? at + strlen("max ") : at, 1) > 0;
}

int cgroup_create(CgroupTree *t, const char *name, const CgroupLimits *limits, Error *err) {
  char dir[PATH_MAX_LEN];
  for (size_t i = 0; i < t->n; i++) {
    group_path(t, i, name, dir);
    if (mkdir(dir, 0755) && errno != EEXIST) {
      error_set(err, ERROR_UNAVAILABLE, "cannot make control group %s: %s", dir, strerror(errno));
      cgroup_remove(t, name);
      return -1;
    }
  }
  if (set_limits(t, name, limits, err) == 0)
    return 0;
  cgroup_remove(t, name);
  return -1;
}

int cgroup_open(CgroupTree *t, const char *name, int fds[CGROUP_FDS_MAX], size_t *ret_n, Error *err) {
  char path[PATH_MAX_LEN];
  for (*ret_n = 0; *ret_n < t->n; ++*ret_n) {
    snprintf(path, sizeof path, "%s/%s/cgroup.procs", t->dirs[*ret_n], name);
    fds[*ret_n] = open(path, O_WRONLY | O_CLOEXEC);
    if (fds[*ret_n] >= 0)
      continue;
    error_set(err, ERROR_UNAVAILABLE, "%s: %s", path, strerror(errno));
    while (*ret_n > 0)
      close(fds[--*ret_n]);
    return -1;
  }
  return 0;
}

void cgroup_kill(CgroupTree *t, const char *name) {
  char path[PATH_MAX_LEN];
  group_path(t, 0, name, path);
  /* all at once, so that no fork escapes it (Linux 5.14) */
  if (t->v2 && write_file(path, "cgroup.kill", "1") == 0)
    return;
  snprintf(path, sizeof path, "%s/%s/cgroup.procs", t->dirs[0], name);
  FILE *f = fopen(path, "re");
  /* the kernel writes 0 for a process that we cannot see, and to kill 0 would end us */
  for (char line[32]; f && fgets(line, sizeof line, f);) {
    pid_t pid = (pid_t)str_leading_int64(line, 0);
    if (pid > 0)
      kill(pid, SIGKILL);
  }
  if (f)
    fclose(f);
}

bool cgroup_remove(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN];
  bool gone = true;
  for (size_t i = 0; i < t->n; i++) {
    group_path(t, i, name, dir);
    if (rmdir(dir) && errno != ENOENT)
      gone = false;
  }
  return gone;
}

void cgroup_empty(CgroupTree *t, const char *name, int64_t timeout_ms) {
  for (int64_t end = clock_mono_ms() + timeout_ms; !cgroup_remove(t, name) && clock_mono_ms() < end; usleep(2000))
    cgroup_kill(t, name);
}

int64_t cgroup_oom_kills(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN], text[1024];
  group_path(t, 0, name, dir);
  if (!read_file(dir, t->v2 ? "memory.events" : "memory.oom_control", text, sizeof text))
    return 0;
  /* both files hold lines of "name value" */
  const char *p = strstr(text, "oom_kill ");
  return p ? str_leading_int64(p + strlen("oom_kill "), 0) : 0;
}

int64_t cgroup_pids_current(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN], text[64];
  group_path(t, t->v2 ? 0 : 1, name, dir);
  return read_file(dir, "pids.current", text, sizeof text) ? str_leading_int64(text, 0) : 0;
}

int64_t cgroup_pids_refused(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN], text[256];
  group_path(t, t->v2 ? 0 : 1, name, dir);
  const char *p = read_file(dir, "pids.events", text, sizeof text) ? strstr(text, "max ") : NULL;
  return p ? str_leading_int64(p + strlen("max "), 0) : 0;
}

int cgroup_oom_watch(CgroupTree *t, const char *name, int *ret_fd, Error *err) {
  char dir[PATH_MAX_LEN], path[PATH_MAX_LEN], line[64];
  *ret_fd = -1;
  group_path(t, 0, name, dir);
  if (t->v2)
    return set(t, 0, name, "", "memory.oom.group", "1", err);
  snprintf(path, sizeof path, "%s/%s/memory.oom_control", t->dirs[0], name);
  int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), control = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(line, sizeof line, "%d %d", event, control);
  int rc = event >= 0 && control >= 0 ? write_file(dir, "cgroup.event_control", line) : -1;
  if (rc)
    error_set(err, ERROR_UNAVAILABLE, "cannot watch %s: %s", path, strerror(errno));
  if (control >= 0)
    close(control);
  if (rc && event >= 0)
    close(event);
  if (rc == 0)
    *ret_fd = event;
  return rc;
}

int cgroup_memory_set_soft(CgroupTree *t, const char *name, int64_t soft_bytes) {
  char value[32];
  Error none;
  snprintf(value, sizeof value, "%lld", (long long)soft_bytes);
  return set(t, 0, name, "memory.limit_in_bytes", "memory.high", value, &none);
}

int64_t cgroup_memory_used(CgroupTree *t, const char *name) {
  char dir[PATH_MAX_LEN], text[64];
  group_path(t, 0, name, dir);
  return read_file(dir, t->v2 ? "memory.current" : "memory.usage_in_bytes", text, sizeof text)
             ? str_leading_int64(text, 0)
             : 0;
}

/* The kernel tells of a change of memory.events as of a file's. */
static int watch_events(CgroupTree *t, const char *name, int *ret_fd, Error *err) {
  char path[PATH_MAX_LEN];
  snprintf(path, sizeof path, "%s/%s/memory.events", t->dirs[0], name);
  *ret_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (*ret_fd >= 0 && inotify_add_watch(*ret_fd, path, IN_MODIFY) >= 0)
    return 0;
  error_set(err, ERROR_UNAVAILABLE, "cannot watch %s: %s", path, strerror(errno));
  if (*ret_fd >= 0)
    close(*ret_fd);
  *ret_fd = -1;
  return -1;
}

bool cgroup_memory_holds_up(const CgroupTree *t) {
  return !t->v2;
}

/* One more thing that the descriptor tells: that so much is in use. */
static int tell_usage(CgroupTree *t, const char *name, int64_t bytes, int event, Error *err) {
  char dir[PATH_MAX_LEN], path[PATH_MAX_LEN + 32], line[96];
  group_path(t, 0, name, dir);
  snprintf(path, sizeof path, "%s/memory.usage_in_bytes", dir);
  int usage = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(line, sizeof line, "%d %d %lld", event, usage, (long long)bytes);
  int rc = usage >= 0 ? write_file(dir, "cgroup.event_control", line) : -1;
  if (rc)
    error_set(err, ERROR_UNAVAILABLE, "cannot watch %s: %s", path, strerror(errno));
  if (usage >= 0)
    close(usage);
  return rc;
}

int cgroup_memory_watch(CgroupTree *t, const char *name, int64_t told_bytes, int64_t soft_bytes, int *ret_fd,
                        Error *err) {
  /* where more is in use already, that is told at once */
  cgroup_memory_set_soft(t, name, soft_bytes);
  if ((!t->v2 && set(t, 0, name, "memory.oom_control", "", "1", err)) || cgroup_oom_watch(t, name, ret_fd, err))
    return -1;
  if (t->v2)
    return watch_events(t, name, ret_fd, err);
  if (tell_usage(t, name, told_bytes, *ret_fd, err) == 0)
    return 0;
  close(*ret_fd);
  *ret_fd = -1;
  return -1;
}

void cgroup_each(CgroupTree *t, void (*fn)(void *arg, const char *name), void *arg) {
  for (size_t i = 0; i < t->n; i++) {
    DIR *dir = opendir(t->dirs[i]);
    for (struct dirent *e; dir && (e = readdir(dir));)
      if (e->d_type == DT_DIR && *e->d_name != '.')
        fn(arg, e->d_name);
    if (dir)
      closedir(dir);
  }
}
