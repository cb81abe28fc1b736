/* One control group a sandbox: its limits, and the list of all that runs in it. Version 1 (a hierarchy for each
 * controller) and version 2 (one for all). */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_CGROUP_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_CGROUP_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"

typedef struct CgroupLimits {
  int64_t memory_bytes; /* 0: none */
  int64_t pids;         /* 0: none */
  int64_t cpu_milli;    /* 0: none */
} CgroupLimits;

typedef struct CgroupTree CgroupTree;

/* root: "/sys/fs/cgroup"; parent: name of our folder in each hierarchy. -1... NULL: UNAVAILABLE when memory or
 * pids cannot be limited here: then nothing is isolated. */
CgroupTree *cgroup_tree_new(const char *root, const char *parent, Error *err);
/* Removes our folders when they are empty. */
void cgroup_tree_free(CgroupTree *t);
bool cgroup_has_cpu(const CgroupTree *t);
/* Of all groups together; cpu_milli is not looked at. What is in use already may be more: then -1 and err. */
int cgroup_limit_all(CgroupTree *t, const CgroupLimits *limits, Error *err) MUST_CHECK;
/* In use by all groups together: memory without what the kernel may take back at any time, and tasks. */
int64_t cgroup_all_memory(CgroupTree *t);
int64_t cgroup_all_pids(CgroupTree *t);

enum { CGROUP_FDS_MAX = 3 };

int cgroup_create(CgroupTree *t, const char *name, const CgroupLimits *limits, Error *err) MUST_CHECK;
/* Opens its cgroup.procs files; the caller closes. */
int cgroup_open(CgroupTree *t, const char *name, int fds[CGROUP_FDS_MAX], size_t *ret_n, Error *err) MUST_CHECK;
/* SIGKILL to all in it; those that are born meanwhile may need another. */
void cgroup_kill(CgroupTree *t, const char *name);
/* Kills and removes until it is gone, at most so long: blocks. */
void cgroup_empty(CgroupTree *t, const char *name, int64_t timeout_ms);
/* false: it is not empty yet. A group that is not there counts as removed. */
bool cgroup_remove(CgroupTree *t, const char *name);
/* Whether its own limit of memory was ever reached. If not, what was killed in it was so for the limit of all. */
bool cgroup_met_own_limit(CgroupTree *t, const char *name);
/* How many the kernel has killed in it for want of memory, ever. */
int64_t cgroup_oom_kills(CgroupTree *t, const char *name);
/* Tasks in it now. */
int64_t cgroup_pids_current(CgroupTree *t, const char *name);
/* How often the kernel has refused a new task in it because of its limit, ever. */
int64_t cgroup_pids_refused(CgroupTree *t, const char *name);
/* Want of memory ends all in it: by the kernel (version 2, *ret_fd is -1), else by the caller, who waits for *ret_fd
 * to become readable, kills the group, and closes it. Version 1 by itself ends one process and lets the rest go on. */
int cgroup_oom_watch(CgroupTree *t, const char *name, int *ret_fd, Error *err) MUST_CHECK;
/* Instead of both: at soft_bytes, below the group's own limit, whoever wants more is held up and nobody is killed
 * (version 1; but a system call may fail, so there should be room up to there), or slowed down (version 2). *ret_fd
 * becomes readable when that happens, and in version 1 when told_bytes are in use as well; the caller reads it empty
 * and closes it. */
int cgroup_memory_watch(CgroupTree *t, const char *name, int64_t told_bytes, int64_t soft_bytes, int *ret_fd,
                        Error *err) MUST_CHECK;
/* Whether who wants more than soft_bytes is held up, and not only slowed down. */
bool cgroup_memory_holds_up(const CgroupTree *t);
/* Moves it. -1: it stays; more than that is in use. */
int cgroup_memory_set_soft(CgroupTree *t, const char *name, int64_t soft_bytes);
int64_t cgroup_memory_used(CgroupTree *t, const char *name);
/* Calls fn for each group below our folder. */
void cgroup_each(CgroupTree *t, void (*fn)(void *arg, const char *name), void *arg);

#endif
