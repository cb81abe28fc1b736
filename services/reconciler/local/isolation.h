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
  /* User of the machine that is this sandbox's alone; 0: none, see Isolation.own_user. */
  uid_t host_uid;
  int64_t memory_bytes, pids, cpu_milli;
  /* Sizes of what is kept in memory: the workspace, /tmp, /dev/shm. */
  int64_t workspace_bytes, tmp_bytes, shm_bytes;
  /* Of those, what comes on top of memory_bytes; the rest is part of it. */
  int64_t extra_file_bytes;
  const ManifestEnv *env;
  size_t n_env;
} SandboxPlan;

typedef struct Isolation Isolation;
struct Isolation {
  const char *class_name;
  char *about; /* for people: which program, which version, which way */
  char *lacks; /* what is missing because it is not the newest; NULL: nothing */
  /* What the isolation itself needs in the control group, on top of what may run inside: memory and tasks, and of both
   * some for each process that may run inside. The group's limits are for the machine's protection; what is inside must
   * meet its own first. */
  int64_t extra_memory_bytes, extra_pids;
  int64_t memory_per_process, pids_per_process;
  /* What the kernel of the machine kills in the group is a part of the isolation, and the sandbox ends with it. false:
   * it is a command, and the sandbox goes on. */
  bool ends_as_a_whole;
  /* What runs inside is a user of the machine: each sandbox needs one of its own. */
  bool own_user;
  /* The launcher ends when the sandbox runs (its pid is in DIR/pid); false: it is the sandbox. */
  bool detaches;
  /* Starts it. The launcher's pid, or -1 and err. route: where the runtime will listen. */
  pid_t (*launch)(const Isolation *self, const SandboxPlan *plan, CgroupTree *cgroups, char *ret_route,
                  size_t route_len, Error *err);
  /* Starts what has the runtime end what holds most memory inside (runtime/memory_relief.h), a child of ours that ends
   * soon: its pid, or -1 and err. NULL: this isolation cannot, and at its memory's limit a sandbox ends. */
  pid_t (*relieve)(const Isolation *self, const char *id, const char *dir, Error *err);
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
 * control group of its own, and whatever it leaves behind there is killed. log: the file of what it prints; NULL: lost.
 */
bool isolation_try(CgroupTree *cgroups, char *const *argv, uid_t uid, int64_t timeout_ms, const char *log);

#endif
