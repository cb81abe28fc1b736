/* Class "gvisor": a kernel of its own in user space (runsc). The platform is chosen by trying: systrap, then kvm, then
 * ptrace, which works everywhere. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/local/gvisor_spec.h"
#include "services/reconciler/local/isolation.h"
#include "services/reconciler/local/remove_tree.h"
#include "services/reconciler/local/subprocess.h"

/* A try of a platform: 0.15 s where it works. */
#define TRY_TIMEOUT_MS 10000
/* On machines whose processor lends its virtualization in name only, kvm does not fail: it hangs. */
#define TRY_KVM_TIMEOUT_MS 3000
/* The releases before do not know systrap, and are not maintained. As runsc tells it, a day. */
#define OLD_BEFORE 20230601

/* Tasks of the machine for each process inside, on two cores: measured 2.1 with systrap, and 9 to 18 with ptrace, which
 * needs one in each address space for each of gVisor's own threads that ever worked in it, and gives none back. Twice
 * and more of that, because the runtime's own children are counted apart (gvisor_spec.c). */
#define TASKS_PER_PROCESS 8
#define TASKS_PER_PROCESS_PTRACE 40

#define NETWORK_FLAG "--network=none"
#define NETWORK_FLAG_2026 "gofer-network-namespace"
/* All of runsc's flags, with their explanations. */
#define FLAGS_MAX 65536

typedef struct Gvisor {
  Isolation base;
  char *runsc, *platform, *runtime;
  /* Since 2026: without it the empty network of its file server stays mounted on the machine when all has ended. For
   * older ones, which do not know it, a flag that is there anyway. */
  const char *network_flag;
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
  char *const argv[] = {g->runsc,
                        root,
                        platform,
                        NETWORK_FLAG,
                        (char *)g->network_flag,
                        "--ignore-cgroups",
                        "--host-uds=create",
                        "run",
                        "--detach",
                        pid_file,
                        bundle,
                        (char *)p->id,
                        NULL};
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

/* Not in the sandbox's control group, where it would wait for the memory that it is to free. */
static pid_t relieve(const Isolation *self, const char *id, const char *dir, Error *err) {
  const Gvisor *g = (const Gvisor *)self;
  CLEANUP(str_freep) char *root = str_printf("--root=%s/runsc", dir);
  CLEANUP(str_freep) char *log = str_printf("%s/log", dir);
  char *const argv[] = {g->runsc, root, "kill", (char *)id, "USR2", NULL};
  return subprocess_start(&(SubprocessSpec){.argv = argv, .log_path = log}, err);
}

static void gvisor_free(Isolation *self) {
  Gvisor *g = (Gvisor *)self;
  free(g->base.about);
  free(g->base.lacks);
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
  bool ok = f && isolation_try(site->cgroups, cp, 0, TRY_TIMEOUT_MS, NULL);
  if (f) {
    fputs("{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/"
          "runtime\",\"--version\"],\"cwd\":\"/\"},"
          "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":"
          "\"network\"},"
          "{\"type\":\"ipc\"},{\"type\":\"uts\"},{\"type\":\"mount\"}]}}",
          f);
    fclose(f);
  }
  char *const argv[] = {g->runsc,           root,  flag,   NETWORK_FLAG,    (char *)g->network_flag,
                        "--ignore-cgroups", "run", bundle, "sandplane-try", NULL};
  ok = ok &&
       isolation_try(site->cgroups, argv, 0, strcmp(platform, "kvm") == 0 ? TRY_KVM_TIMEOUT_MS : TRY_TIMEOUT_MS, NULL);
  remove_tree(dir);
  return ok;
}

/* What `runsc ARGUMENT` prints, at most max - 1 bytes; "" when it fails. */
static void ask(const Gvisor *g, const char *argument, const IsolationSite *site, char *out, size_t max) {
  CLEANUP(str_freep) char *path = str_printf("%s/try-%s", site->scratch, argument);
  char *const argv[] = {g->runsc, (char *)argument, NULL};
  unlink(path);
  FILE *f = isolation_try(site->cgroups, argv, 0, TRY_TIMEOUT_MS, path) ? fopen(path, "re") : NULL;
  out[f ? fread(out, 1, max - 1, f) : 0] = 0;
  if (f)
    fclose(f);
  unlink(path);
}

/* What follows "version" in the first line of runsc --version; the caller frees. */
static char *version_of(const Gvisor *g, const IsolationSite *site) {
  char text[256];
  ask(g, "--version", site, text, sizeof text);
  text[strcspn(text, "\n")] = 0;
  const char *at = strstr(text, "version ");
  return str_dup(at ? at + strlen("version ") : "unknown");
}

/* The first eight digits in a row, which every release has: a day. 0: there are none. */
static long day_of(const char *version) {
  for (const char *p = version; *p; p++) {
    size_t n = strspn(p, "0123456789");
    if (n >= 8) {
      CLEANUP(str_freep) char *day = str_ndup(p, 8);
      return strtol(day, NULL, 10);
    }
  }
  return 0;
}

static void describe(Gvisor *g, const IsolationSite *site) {
  CLEANUP(str_freep) char *version = version_of(g, site);
  long day = day_of(version);
  bool ptrace = strcmp(g->platform, "ptrace") == 0;
  g->base.about = str_printf("%s, gVisor %s, platform %s", g->runsc, version, g->platform);
  /* the older does not survive that it has to wait for memory */
  if (!day || day >= OLD_BEFORE)
    g->base.relieve = relieve;
  if (day && day < OLD_BEFORE)
    g->base.lacks =
        str_printf("this gVisor is no longer maintained; a system call takes about ten times and the start of "
                   "a process twice as long as with the newest, and what it cannot do is listed in "
                   "docs/local-backend.md");
  else if (ptrace)
    g->base.lacks =
        str_dup("the platform systrap does not work here, and with ptrace a system call takes about ten times as "
                "long");
  /* the sentry and its gofer; measured 58 MB for an idle sandbox, more when it serves many files; 0.5 MiB for a
   * process, most of it the kernel's share */
  g->base.extra_memory_bytes = (int64_t)192 << 20;
  g->base.memory_per_process = (int64_t)1 << 20;
  g->base.extra_pids = 512;
  g->base.pids_per_process = (ptrace ? TASKS_PER_PROCESS_PTRACE : TASKS_PER_PROCESS) - 1;
}

static void choose_network_flag(Gvisor *g, const IsolationSite *site) {
  char *flags = xmalloc(FLAGS_MAX);
  ask(g, "flags", site, flags, FLAGS_MAX);
  g->network_flag = strstr(flags, NETWORK_FLAG_2026) ? "--" NETWORK_FLAG_2026 "=new" : NETWORK_FLAG;
  free(flags);
}

/* Sets platform to one that works; false: none of them does. */
static bool choose_platform(Gvisor *g, const char *configured, const IsolationSite *site) {
  const char *const all[] = {"systrap", "kvm", "ptrace"};
  for (size_t i = 0; i < ARRAY_LEN(all); i++) {
    if (*configured && i > 0)
      return false;
    const char *platform = *configured ? configured : all[i];
    if (!*configured && strcmp(platform, "kvm") == 0 && access("/dev/kvm", R_OK | W_OK) != 0)
      continue;
    if (!platform_works(g, platform, site))
      continue;
    g->platform = str_dup(platform);
    return true;
  }
  return false;
}

Isolation *isolation_gvisor_new(const ReconcilerConfig *config, const char *runtime, const IsolationSite *site,
                                Error *err) {
  Gvisor *g = new0(Gvisor);
  g->base = (Isolation){
      .class_name = "gvisor", .detaches = true, .ends_as_a_whole = true, .launch = launch, .free = gvisor_free};
  g->runtime = str_dup(runtime);
  g->runsc = isolation_find_program(config->runsc, "runsc");
  if (!g->runsc) {
    error_set(err, ERROR_FAILED_PRECONDITION,
              "gVisor's runsc is not installed (tools/quickstart builds it; Debian: apt-get install runsc)");
    gvisor_free(&g->base);
    return NULL;
  }
  choose_network_flag(g, site);
  if (choose_platform(g, config->runsc_platform, site)) {
    describe(g, site);
    return &g->base;
  }
  error_set(err, ERROR_FAILED_PRECONDITION, "%s does not work here with %s", g->runsc,
            *config->runsc_platform ? config->runsc_platform : "the platforms systrap, kvm and ptrace");
  gvisor_free(&g->base);
  return NULL;
}
