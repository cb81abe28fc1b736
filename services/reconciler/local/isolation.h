/* The ways to isolate a sandbox on this machine. Each knows how to start the runtime inside; all the rest
 * (folders, control groups, watching, destroying) is the same and lives in sandbox.c. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_ISOLATION_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_ISOLATION_H_

#include "lib/manifest/manifest.h"
#include "services/reconciler/config.h"
#include "services/reconciler/local/cgroup.h"
#include "services/reconciler/local/image_store.h"

/* What a sandbox is to be, complete: no defaults are left to choose. */
typedef struct SandboxPlan {
  const char *id;
  const char *dir;    /* its folder on the host */
  const char *cgroup; /* its group's name */
  ImageConfig image;
  const char *working_dir;
  int64_t uid, gid;
  int64_t memory_bytes, pids, cpu_milli, workspace_bytes;
  const ManifestEnv *env;
  size_t n_env;
} SandboxPlan;

typedef struct Isolation Isolation;
struct Isolation {
  const char *class_name;
  /* Memory and processes that the isolation itself needs, on top of the sandbox's own. */
  int64_t extra_memory_bytes, extra_pids;
  /* The launcher ends when the sandbox runs (its pid is in DIR/pid); false: it is the sandbox. */
  bool detaches;
  /* Starts it. The launcher's pid, or -1 and err. route: where the runtime will listen. */
  pid_t (*launch)(const Isolation *self, const SandboxPlan *plan, CgroupTree *cgroups, char *ret_route,
                  size_t route_len, Error *err);
  void (*free)(Isolation *self);
};

/* Where an isolation tries itself out. */
typedef struct IsolationSite {
  CgroupTree *cgroups;
  const char *scratch; /* a folder */
} IsolationSite;

/* Each tries itself out. NULL and err: this machine cannot do it, with the reason. */
Isolation *isolation_gvisor_new(const ReconcilerConfig *config, const char *runtime, const IsolationSite *site,
                                Error *err);
Isolation *isolation_process_new(const ReconcilerConfig *config, const char *runtime, const IsolationSite *site,
                                 Error *err);

/* The program's absolute path: given, or found in PATH; NULL: there is none. The caller frees. */
char *isolation_find_program(const char *given, const char *name);
/* Runs argv to its end, at most timeout_ms; true when it exits with 0. For trying things out at start. It runs in a
 * control group of its own, and whatever it leaves behind there is killed. */
bool isolation_try(CgroupTree *cgroups, char *const *argv, uid_t uid, int64_t timeout_ms);

#endif
