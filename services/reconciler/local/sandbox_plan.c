/* See sandbox_plan.h. */
#include "services/reconciler/local/sandbox_plan.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

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
static int fail_field(Error *err, const char *field, const char *what, const char *why) {
  error_set(err, ERROR_FAILED_PRECONDITION, "%s%s", what, why);
  snprintf(err->field, sizeof err->field, "%s", field);
  return -1;
}

#define SPEC "spec.podTemplate.spec."
#define CONTAINER SPEC "containers[0]."

int sandbox_plan_isolation(const Machine *m, const char *class_name, const Isolation **ret, Error *err) {
  const char *wanted = *class_name ? class_name : m->config->default_runtime_class;
  int i = machine_class(wanted);
  if (i < 0)
    return fail_field(err, SPEC "runtimeClassName", "the local backend has the classes gvisor and process, not ",
                      wanted);
  *ret = m->isolations[i];
  return *ret ? 0 : fail_field(err, SPEC "runtimeClassName", "this machine cannot isolate it: ", m->missing[i].message);
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

int sandbox_plan_of(const Machine *m, const ManifestTemplate *t, SandboxPlan *p, const Isolation **isolation,
                    Error *err) {
  if (sandbox_plan_isolation(m, t->runtime_class, isolation, err))
    return -1;
  if (image_store_find(m->images, t->image, &p->image) == IMAGE_MISSING)
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
  if (t->cpu_milli && !cgroup_has_cpu(m->cgroups))
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
