/* Class "process": namespaces, seccomp and no rights at all, by bubblewrap. For templates that name no class.
 *
 * bubblewrap runs as a host user that owns nothing and is this sandbox's alone, so even what breaks out of its
 * namespaces is nobody. The runtime inherits the socket that it listens on, so nothing of the host is mounted but the
 * read-only image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/local/isolation.h"
#include "services/reconciler/local/seccomp_filter.h"
#include "services/reconciler/local/subprocess.h"

#define TRY_TIMEOUT_MS 10000
#define BACKLOG 128

typedef struct ProcessIsolation {
  Isolation base;
  char *bwrap, *runtime;
  uid_t uid;                    /* the first of all sandboxes'; their group, too */
  int filters[SECCOMP_FILTERS]; /* the same for all; each sandbox's launcher reads its own copy */
} ProcessIsolation;

/* What the launcher inherits, from descriptor 3 on. */
enum { PASS_SOCKET, PASS_FILTERS, PASS_ENV = PASS_FILTERS + SECCOMP_FILTERS, N_PASS };

/* Arguments, all owned. */
typedef struct Args {
  char *v[64];
  size_t n;
} Args;

static void add(Args *a, char *text) {
  if (a->n + 1 < ARRAY_LEN(a->v))
    a->v[a->n++] = text;
  else
    free(text);
}

static void add_all(Args *a, const char *const *texts) {
  for (; *texts; texts++)
    add(a, str_dup(*texts));
}

static void free_args(Args *a) {
  while (a->n > 0)
    free(a->v[--a->n]);
}

static void add_isolation(Args *a) {
  add_all(a, (const char *const[]){"--unshare-all", "--unshare-user", "--disable-userns", "--new-session", "--as-pid-1",
                                   "--cap-drop", "ALL", "--clearenv", NULL});
}

static int append_setenv(Buf *out, const char *name, size_t name_len, const char *value) {
  return buf_append(out, "--setenv", sizeof "--setenv") || buf_append(out, name, name_len) || buf_append(out, "", 1) ||
         buf_append(out, value, strlen(value) + 1);
}

/* The environment as a file of bubblewrap arguments: those of its command line can be read by every user of the
 * host. */
static int env_open(const SandboxPlan *p, Error *err) {
  size_t i;
  json_t *item;
  Buf out = BUF_INIT(0);
  int bad = 0;
  json_array_foreach((json_t *)p->image.env, i, item) {
    const char *entry = json_string_value(item), *eq = entry ? strchr(entry, '=') : NULL;
    if (eq)
      bad |= append_setenv(&out, entry, (size_t)(eq - entry), eq + 1);
  }
  for (i = 0; i < p->n_env; i++)
    bad |= append_setenv(&out, p->env[i].name, strlen(p->env[i].name), p->env[i].value);
  int fd = bad ? -1 : memfd_create("env", MFD_CLOEXEC);
  bool ok = fd >= 0 && write(fd, buf_str(&out), out.len) == (ssize_t)out.len && lseek(fd, 0, SEEK_SET) == 0;
  buf_deinit(&out);
  if (ok)
    return fd;
  if (fd >= 0)
    close(fd);
  return error_set(err, ERROR_INTERNAL, "the environment cannot be handed over");
}

static void add_files(Args *a, const ProcessIsolation *iso, const SandboxPlan *p) {
  CLEANUP(str_freep) char *size = str_printf("%lld", (long long)p->workspace_bytes);
  CLEANUP(str_freep) char *tmp = str_printf("%lld", (long long)p->tmp_bytes);
  CLEANUP(str_freep) char *shm = str_printf("%lld", (long long)p->shm_bytes);
  CLEANUP(str_freep) char *uid = str_printf("%lld", (long long)p->uid);
  CLEANUP(str_freep) char *gid = str_printf("%lld", (long long)p->gid);
  add_all(a,
          (const char *const[]){"--uid", uid, "--gid", gid, "--hostname", p->id, "--ro-bind", p->image.rootfs, "/",
                                "--ro-bind", iso->runtime, "/.sandplane/runtime", "--proc", "/proc", "--dev", "/dev",
                                "--perms", "1777", "--size", shm, "--tmpfs", "/dev/shm",
                                /* it would be one more place for files, of no limited size */
                                "--remount-ro", "/dev", "--perms", "1777", "--size", tmp, "--tmpfs", "/tmp", "--perms",
                                "0755", "--size", size, "--tmpfs", p->working_dir, "--chdir", p->working_dir, NULL});
}

static int listen_at(const char *path, Error *err) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s is too long for a socket; choose a shorter --data-dir", path);
  snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno));
  if (fd >= 0)
    close(fd);
  return -1;
}

static pid_t start(const ProcessIsolation *iso, const SandboxPlan *p, CgroupTree *cgroups, Args *a,
                   const int pass[N_PASS], Error *err) {
  CLEANUP(str_freep) char *log = str_printf("%s/log", p->dir);
  int fds[CGROUP_FDS_MAX];
  size_t n;
  if (cgroup_open(cgroups, p->cgroup, fds, &n, err))
    return -1;
  SubprocessSpec spec = {.argv = a->v,
                         .log_path = log,
                         .cgroup_fds = fds,
                         .n_cgroup_fds = n,
                         .pass_fds = pass,
                         .n_pass_fds = N_PASS,
                         .uid = p->host_uid,
                         .gid = iso->uid,
                         /* the runtime is process 1 of its namespace and of the commands' user: the kernel keeps from
                          * it all signals from inside but those that it handles, which are these two */
                         .deaf = true};
  pid_t pid = subprocess_start(&spec, err);
  while (n > 0)
    close(fds[--n]);
  return pid;
}

static pid_t launch(const Isolation *self, const SandboxPlan *p, CgroupTree *cgroups, char *ret_route, size_t route_len,
                    Error *err) {
  const ProcessIsolation *iso = (const ProcessIsolation *)self;
  CLEANUP(str_freep) char *socket_path = str_printf("%s/run/runtime.sock", p->dir);
  int pass[N_PASS] = {-1, -1, -1, -1};
  pid_t pid = -1;
  if (seccomp_filter_open(iso->filters, pass + PASS_FILTERS, err))
    return -1;
  if ((pass[PASS_SOCKET] = listen_at(socket_path, err)) >= 0 && (pass[PASS_ENV] = env_open(p, err)) >= 0) {
    Args a = {.n = 0};
    add(&a, str_dup(iso->bwrap));
    add_isolation(&a);
    add_files(&a, iso, p);
    CLEANUP(str_freep) char *base = str_printf("--base-dir=%s", p->working_dir);
    add_all(&a, (const char *const[]){"--args", "6", "--add-seccomp-fd", "4", "--add-seccomp-fd", "5", "--",
                                      "/.sandplane/runtime", "--listen-fd=3", base, NULL});
    pid = start(iso, p, cgroups, &a, pass, err);
    free_args(&a);
  }
  for (size_t i = 0; i < ARRAY_LEN(pass); i++)
    if (pass[i] >= 0)
      close(pass[i]);
  snprintf(ret_route, route_len, "unix:%s", socket_path);
  return pid;
}

static void process_free(Isolation *self) {
  ProcessIsolation *iso = (ProcessIsolation *)self;
  free(iso->base.about);
  free(iso->bwrap);
  free(iso->runtime);
  for (size_t i = 0; i < SECCOMP_FILTERS; i++)
    if (iso->filters[i] >= 0)
      close(iso->filters[i]);
  free(iso);
}

/* The same isolation around the runtime's --version. */
static bool works(const ProcessIsolation *iso, CgroupTree *cgroups) {
  Args a = {.n = 0};
  add(&a, str_dup(iso->bwrap));
  add_isolation(&a);
  add_all(&a, (const char *const[]){"--size", "1048576", "--tmpfs", "/", "--ro-bind", iso->runtime, "/runtime",
                                    "--proc", "/proc", "--dev", "/dev", "--", "/runtime", "--version", NULL});
  bool ok = isolation_try(cgroups, a.v, iso->uid, TRY_TIMEOUT_MS, NULL);
  free_args(&a);
  return ok;
}

Isolation *isolation_process_new(const ReconcilerConfig *config, const char *runtime, const IsolationSite *site,
                                 Error *err) {
  ProcessIsolation *iso = new0(ProcessIsolation);
  iso->base = (Isolation){.class_name = "process",
                          .extra_memory_bytes = (int64_t)16 << 20,
                          .extra_pids = 8,
                          .own_user = true,
                          .launch = launch,
                          .free = process_free};
  iso->runtime = str_dup(runtime);
  iso->uid = (uid_t)config->sandbox_uid_base;
  iso->bwrap = isolation_find_program(config->bwrap, "bwrap");
  for (size_t i = 0; i < SECCOMP_FILTERS; i++)
    iso->filters[i] = -1;
  if (seccomp_filter_new(iso->filters, err)) {
    iso->filters[0] = iso->filters[1] = -1;
    process_free(&iso->base);
    return NULL;
  }
  if (iso->bwrap && works(iso, site->cgroups)) {
    iso->base.about = str_printf("%s, as users %lld and up", iso->bwrap, (long long)iso->uid);
    return &iso->base;
  }
  if (!iso->bwrap)
    error_set(err, ERROR_FAILED_PRECONDITION, "bubblewrap is not installed (Debian: apt-get install bubblewrap)");
  else
    error_set(err, ERROR_FAILED_PRECONDITION,
              "%s does not work here as user %lld (are user namespaces allowed, and is it this machine's to give? see "
              "--sandbox-uid-base)",
              iso->bwrap, (long long)iso->uid);
  process_free(&iso->base);
  return NULL;
}
