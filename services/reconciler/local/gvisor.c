/* Class "gvisor": a kernel of its own in user space (runsc). The platform is chosen by trying: systrap, then
 * ptrace; kvm only when it is configured, because where it does not work it hangs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "services/reconciler/local/gvisor_spec.h"
#include "services/reconciler/local/isolation.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/subprocess.h"

/* A try of a platform: 0.15 s where it works. */
#define TRY_TIMEOUT_MS 10000

typedef struct Gvisor {
  Isolation base;
  char *runsc, *platform, *runtime;
} Gvisor;

static pid_t launch(const Isolation *self, const SandboxPlan *p, CgroupTree *cgroups, char *ret_route, size_t route_len,
                    Error *err) {
  const Gvisor *g = (const Gvisor *)self;
  if (gvisor_spec_write(p, g->runtime, err))
    return -1;
  /* all that runsc keeps of a sandbox lies in the sandbox's folder and goes with it */
  CLEANUP(str_freep) char *root = str_printf("--root=%s/runsc", p->dir);
  CLEANUP(str_freep) char *platform = str_printf("--platform=%s", g->platform);
  CLEANUP(str_freep) char *pid_file = str_printf("--pid-file=%s/pid", p->dir);
  CLEANUP(str_freep) char *bundle = str_printf("--bundle=%s", p->dir);
  CLEANUP(str_freep) char *log = str_printf("%s/log", p->dir);
  char *const argv[] = {g->runsc, root,       platform, "--network=none", "--ignore-cgroups", "--host-uds=create",
                        "run",    "--detach", pid_file, bundle,           (char *)p->id,      NULL};
  int fds[CGROUP_FDS_MAX];
  size_t n;
  if (cgroup_open(cgroups, p->cgroup, fds, &n, err))
    return -1;
  pid_t pid =
      subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = log, .cgroup_fds = fds, .n_cgroup_fds = n}, err);
  while (n > 0)
    close(fds[--n]);
  snprintf(ret_route, route_len, "unix:%s/run/runtime.sock", p->dir);
  return pid;
}

static void gvisor_free(Isolation *self) {
  Gvisor *g = (Gvisor *)self;
  free(g->runsc);
  free(g->platform);
  free(g->runtime);
  free(g);
}

/* Runs the runtime's --version in a sandbox whose whole image is the runtime. */
static bool platform_works(const Gvisor *g, const char *platform, const IsolationSite *site) {
  CLEANUP(str_freep) char *dir = str_printf("%s/try-gvisor", site->scratch);
  CLEANUP(str_freep) char *rootfs = str_printf("%s/rootfs", dir);
  CLEANUP(str_freep) char *config = str_printf("%s/config.json", dir);
  CLEANUP(str_freep) char *copy = str_printf("%s/runtime", rootfs);
  CLEANUP(str_freep) char *root = str_printf("--root=%s/runsc", dir);
  CLEANUP(str_freep) char *flag = str_printf("--platform=%s", platform);
  CLEANUP(str_freep) char *bundle = str_printf("--bundle=%s", dir);
  remove_tree(dir);
  mkdir(dir, 0700);
  mkdir(rootfs, 0755);
  FILE *f = fopen(config, "we");
  char *const cp[] = {"/bin/cp", g->runtime, copy, NULL};
  bool ok = f && isolation_try(site->cgroups, cp, 0, TRY_TIMEOUT_MS);
  if (f) {
    fputs("{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/"
          "runtime\",\"--version\"],\"cwd\":\"/\"},"
          "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
          "\"network\"},"
          "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]}}",
          f);
    fclose(f);
  }
  char *const argv[] = {g->runsc,        root, flag, "--network=none", "--ignore-cgroups", "run", bundle,
                        "sandplane-try", NULL};
  ok = ok && isolation_try(site->cgroups, argv, 0, TRY_TIMEOUT_MS);
  remove_tree(dir);
  return ok;
}

Isolation *isolation_gvisor_new(const ReconcilerConfig *config, const char *runtime, const IsolationSite *site,
                                Error *err) {
  Gvisor *g = calloc(1, sizeof *g);
  if (!g)
    abort();
  /* the sentry and its gofer; measured 58 MB for an idle sandbox, more when it serves many files. The ptrace
   * platform needs a host process for each process inside, and the sentry's own threads. */
  g->base = (Isolation){.class_name = "gvisor",
                        .extra_memory_bytes = (int64_t)192 << 20,
                        .extra_pids = 512,
                        .detaches = true,
                        .launch = launch,
                        .free = gvisor_free};
  g->runtime = str_dup(runtime);
  g->runsc = isolation_find_program(config->runsc, "runsc");
  if (!g->runsc) {
    error_set(err, ERROR_FAILED_PRECONDITION, "gVisor's runsc is not installed (Debian: apt-get install runsc)");
    gvisor_free(&g->base);
    return NULL;
  }
  const char *platforms[] = {"systrap", "ptrace"};
  bool chosen = *config->runsc_platform != 0;
  for (size_t i = 0; i < (chosen ? 1 : ARRAY_LEN(platforms)); i++) {
    const char *platform = chosen ? config->runsc_platform : platforms[i];
    if (!platform_works(g, platform, site))
      continue;
    g->platform = str_dup(platform);
    return &g->base;
  }
  error_set(err, ERROR_FAILED_PRECONDITION, "%s does not work here with %s", g->runsc,
            chosen ? config->runsc_platform : "the platforms systrap and ptrace");
  gvisor_free(&g->base);
  return NULL;
}
