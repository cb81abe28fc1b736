/* See machine.h. */
#include "services/reconciler/local/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/str.h"

/* Of the machine's memory and of its tasks, what all sandboxes together may have: the rest is for the stack and whoever
 * else is there. At least so much of the memory is left, unless that is more than half. */
#define LEFT_SHARE 8
#define LEFT_BYTES ((int64_t)1 << 30)
/* What a sandbox needs to start: gVisor's is the largest. */
#define START_BYTES ((int64_t)64 << 20)
#define START_PIDS 64

const char *const MACHINE_CLASSES[MACHINE_N_CLASSES] = {"gvisor", "process"};

int machine_class(const char *class_name) {
  for (int i = 0; i < MACHINE_N_CLASSES; i++)
    if (strcmp(class_name, MACHINE_CLASSES[i]) == 0)
      return i;
  return -1;
}

/* Beside this program, unless it is configured. */
static char *beside(const char *given, const char *name) {
  if (*given)
    return realpath(given, NULL);
  char self[512];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n <= 0)
    return NULL;
  self[n] = 0;
  *strrchr(self, '/') = 0;
  CLEANUP(str_freep) char *path = str_printf("%s/%s", self, name);
  return realpath(path, NULL);
}

/* One reconciler owns a data folder. The lock goes with the process, however it ends. */
static int lock(Machine *m, Error *err) {
  const char *data = m->config->data_dir;
  /* sandboxes' users pass through it, and nobody lists it */
  if ((mkdir(data, 0711) && errno != EEXIST) || chmod(data, 0711))
    return error_set(err, ERROR_UNAVAILABLE, "--data-dir %s: %s", data, strerror(errno));
  CLEANUP(str_freep) char *path = str_printf("%s/reconciler.lock", data);
  m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (m->lock_fd < 0)
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", path, strerror(errno));
  if (flock(m->lock_fd, LOCK_EX | LOCK_NB))
    return error_set(err, ERROR_UNAVAILABLE, "%s is in use by another reconciler", data);
  return 0;
}

static int64_t number_of(const char *path, int64_t fallback) {
  char text[32] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  return n > 0 ? str_leading_int64(text, fallback) : fallback;
}

static int limit_all(Machine *m, Error *err) {
  static const int64_t PIDS = 32768;
  int64_t total = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
  int64_t left = total / LEFT_SHARE;
  if (left < LEFT_BYTES)
    left = LEFT_BYTES < total / 2 ? LEFT_BYTES : total / 2;
  int64_t threads = number_of("/proc/sys/kernel/threads-max", PIDS), pids = number_of("/proc/sys/kernel/pid_max", PIDS);
  m->all.memory_bytes = m->config->sandboxes_memory_bytes ? m->config->sandboxes_memory_bytes : total - left;
  m->all.pids = m->config->sandboxes_pids ? m->config->sandboxes_pids : (threads < pids ? threads : pids) / 2;
  return cgroup_limit_all(m->cgroups, &m->all, err);
}

static ImageStore *open_images(const Machine *m, Loop *loop, const char *folder, const char *unpack, Error *err) {
  const ReconcilerConfig *c = m->config;
  const ImageStoreSpec spec = {.loop = loop,
                               .folder = folder,
                               .unpack = unpack,
                               .cgroups = m->cgroups,
                               .group = (gid_t)c->sandbox_uid_base,
                               .unpack_id = (uid_t)(c->sandbox_uid_base + c->sandbox_uid_count),
                               .max_bytes = c->image_store_max_bytes,
                               .min_free_bytes = c->image_store_min_free_bytes};
  return image_store_new(&spec, err);
}

int machine_init(Machine *m, Loop *loop, const ReconcilerConfig *c, Error *err) {
  *m = (Machine){
      .config = c, .lock_fd = -1, .uids = uid_pool_new((uid_t)c->sandbox_uid_base, (size_t)c->sandbox_uid_count)};
  if (geteuid() != 0)
    return error_set(err, ERROR_UNAVAILABLE, "the local backend needs root, to make control groups and namespaces");
  CLEANUP(str_freep) char *runtime = beside(c->runtime_binary, "sandplane-runtime");
  CLEANUP(str_freep) char *unpack = beside(c->unpack_binary, "sandplane-unpack");
  if (!runtime)
    return error_set(err, ERROR_UNAVAILABLE, "sandplane-runtime is not found; see --runtime-binary");
  if (!unpack)
    return error_set(err, ERROR_UNAVAILABLE, "sandplane-unpack is not found; see --unpack-binary");
  /* sandboxes' users and programs of other users read what is made here; what nobody may read is made with its mode */
  umask(022);
  if (lock(m, err))
    return -1;
  CLEANUP(str_freep) char *data = realpath(c->data_dir, NULL);
  if (!data)
    return error_set(err, ERROR_UNAVAILABLE, "--data-dir %s: %s", c->data_dir, strerror(errno));
  CLEANUP(str_freep) char *images = str_printf("%s/images", data);
  m->folder = str_printf("%s/sandboxes", data);
  /* nobody else has anything to look for in it: a sandbox gets descriptors and mounts, never a path of it */
  if ((mkdir(m->folder, 0700) && errno != EEXIST) || chmod(m->folder, 0700))
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", m->folder, strerror(errno));
  /* the data folder's own groups, so that several stacks on a machine keep apart */
  CLEANUP(str_freep) char *parent = str_printf("sandplane-%08x", str_fnv1a32(data, strlen(data)));
  if (!(m->cgroups = cgroup_tree_new(c->cgroup_root, parent, err)) || limit_all(m, err))
    return -1;
  if (!(m->images = open_images(m, loop, images, unpack, err)))
    return -1;
  IsolationSite site = {.cgroups = m->cgroups, .scratch = data};
  m->isolations[0] = isolation_gvisor_new(c, runtime, &site, &m->missing[0]);
  m->isolations[1] = isolation_process_new(c, runtime, &site, &m->missing[1]);
  return 0;
}

/* The limits of single sandboxes are no reservations: what counts is what all of them use. Better one that does not
 * start than one that is killed for it. */
bool machine_has_room(const Machine *m, Error *err) {
  int64_t memory = cgroup_all_memory(m->cgroups), pids = cgroup_all_pids(m->cgroups);
  if (memory + START_BYTES > m->all.memory_bytes)
    return !error_set(err, ERROR_RESOURCE_EXHAUSTED,
                      "all sandboxes of this machine use %lld of the %lld MiB of memory that they may have together "
                      "(--sandboxes-memory-bytes)",
                      (long long)(memory >> 20), (long long)(m->all.memory_bytes >> 20));
  if (pids + START_PIDS > m->all.pids)
    return !error_set(err, ERROR_RESOURCE_EXHAUSTED,
                      "all sandboxes of this machine have %lld of the %lld tasks that they may have together "
                      "(--sandboxes-pids)",
                      (long long)pids, (long long)m->all.pids);
  return true;
}

void machine_deinit(Machine *m) {
  for (size_t i = 0; i < MACHINE_N_CLASSES; i++)
    if (m->isolations[i])
      m->isolations[i]->free(m->isolations[i]);
  image_store_free(m->images);
  uid_pool_free(m->uids);
  cgroup_tree_free(m->cgroups);
  if (m->lock_fd >= 0)
    close(m->lock_fd);
  free(m->folder);
}
