/* See gvisor_spec.h. Read-only image; memory-backed workspace and /tmp of stated size, so that nothing a command
 * writes reaches the host's disk; one folder shared with the host, in which only the runtime may write. */
#include "services/reconciler/local/gvisor_spec.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "services/reconciler/local/process_limits.h"

static void mount(json_t *mounts, const char *to, const char *type, const char *from, json_t *options) {
  json_array_append_new(
      mounts, json_pack("{s:s,s:s,s:s,s:o}", "destination", to, "type", type, "source", from, "options", options));
}

static json_t *tmpfs_options(int64_t size, const char *mode, int64_t uid, int64_t gid) {
  json_t *o = json_pack("[s,s]", "nosuid", "nodev");
  CLEANUP(str_freep) char *size_text = str_printf("size=%lld", (long long)size);
  CLEANUP(str_freep) char *mode_text = str_printf("mode=%s", mode);
  CLEANUP(str_freep) char *uid_text = str_printf("uid=%lld", (long long)uid);
  CLEANUP(str_freep) char *gid_text = str_printf("gid=%lld", (long long)gid);
  const char *texts[] = {size_text, mode_text, uid_text, gid_text};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    json_array_append_new(o, json_string(texts[i]));
  return o;
}

static json_t *mounts_of(const SandboxPlan *p, const char *runtime) {
  json_t *m = json_array();
  CLEANUP(str_freep) char *run = str_printf("%s/run", p->dir);
  mount(m, "/proc", "proc", "proc", json_pack("[s,s,s]", "nosuid", "noexec", "nodev"));
  mount(m, "/dev", "tmpfs", "tmpfs", json_pack("[s]", "nosuid"));
  mount(m, "/dev/pts", "devpts", "devpts", json_pack("[s,s]", "nosuid", "noexec"));
  mount(m, "/tmp", "tmpfs", "tmpfs", tmpfs_options(p->tmp_bytes, "1777", 0, 0));
  mount(m, "/dev/shm", "tmpfs", "tmpfs", tmpfs_options(p->shm_bytes, "1777", 0, 0));
  mount(m, p->working_dir, "tmpfs", "tmpfs", tmpfs_options(p->workspace_bytes, "0755", p->uid, p->gid));
  mount(m, "/run/sandplane", "bind", run, json_pack("[s,s,s,s]", "rbind", "rw", "nosuid", "nodev"));
  mount(m, "/.sandplane/runtime", "bind", runtime, json_pack("[s,s,s,s]", "bind", "ro", "nosuid", "nodev"));
  return m;
}

static json_t *env_of(const SandboxPlan *p) {
  json_t *env = json_is_array(p->image.env) ? json_deep_copy(p->image.env) : json_array();
  json_array_append_new(env, json_string("SANDPLANE=1"));
  for (size_t i = 0; i < p->n_env; i++) {
    CLEANUP(str_freep) char *entry = str_printf("%s=%s", p->env[i].name, p->env[i].value);
    json_array_append_new(env, json_string(entry));
  }
  return env;
}

static void rlimit(json_t *list, const char *name, uint64_t soft, uint64_t hard) {
  json_array_append_new(list,
                        json_pack("{s:s,s:I,s:I}", "type", name, "soft", (json_int_t)soft, "hard", (json_int_t)hard));
}

/* gVisor's kernel counts processes for each user, and the runtime, which is root without the right to go beyond, apart
 * from what commands start. So a command that starts too many is told so (EAGAIN), and the runtime can still start the
 * next. What has no limit is left out: that is what it begins with, and JSON's integers here end at 2^63. */
static json_t *rlimits_of(const SandboxPlan *p) {
  json_t *list = json_array();
  for (size_t i = 0; i < N_PROCESS_LIMITS; i++)
    if (PROCESS_LIMITS[i].hard != PROCESS_LIMIT_NONE)
      rlimit(list, PROCESS_LIMITS[i].name, PROCESS_LIMITS[i].soft, PROCESS_LIMITS[i].hard);
  rlimit(list, "RLIMIT_NPROC", (uint64_t)p->pids, (uint64_t)p->pids);
  return list;
}

int gvisor_spec_write(const SandboxPlan *p, const char *runtime, Error *err) {
  CLEANUP(str_freep) char *user = str_printf("--user=%lld:%lld", (long long)p->uid, (long long)p->gid);
  CLEANUP(str_freep) char *base = str_printf("--base-dir=%s", p->working_dir);
  CLEANUP(str_freep) char *path = str_printf("%s/config.json", p->dir);
  /* what the runtime needs to run commands as another user and to end them; none of it reaches a command */
  json_t *caps = json_pack("[s,s,s,s]", "CAP_SETUID", "CAP_SETGID", "CAP_KILL", "CAP_CHOWN");
  json_t *spec = json_pack(
      "{s:s, s:{s:{s:i,s:i}, s:[s,s,s,s], s:o, s:s, s:{s:O,s:O,s:O}, s:o, s:b}, s:{s:s,s:b}, s:s, s:o, "
      "s:{s:[{s:s},{s:s},{s:s},{s:s},{s:s}]}}",
      "ociVersion", "1.0.2", "process", "user", "uid", 0, "gid", 0, "args", "/.sandplane/runtime",
      "--listen-unix=/run/sandplane/runtime.sock", user, base, "env", env_of(p), "cwd", p->working_dir, "capabilities",
      "bounding", caps, "effective", caps, "permitted", caps, "rlimits", rlimits_of(p), "noNewPrivileges", 1, "root",
      "path", p->image.rootfs, "readonly", 1, "hostname", p->id, "mounts", mounts_of(p, runtime), "linux", "namespaces",
      "type", "pid", "type", "network", "type", "ipc", "type", "uts", "type", "mount");
  json_decref(caps);
  /* it holds the template's environment */
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int rc = spec && fd >= 0 && json_dumpfd(spec, fd, 0) == 0
               ? 0
               : error_set(err, ERROR_INTERNAL, "%s cannot be written", path);
  if (fd >= 0)
    close(fd);
  json_decref(spec);
  return rc;
}
