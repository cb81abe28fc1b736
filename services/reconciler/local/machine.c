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
  if (mkdir(data, 0755) && errno != EEXIST)
    return error_set(err, ERROR_UNAVAILABLE, "--data-dir %s: %s", data, strerror(errno));
  CLEANUP(str_freep) char *path = str_printf("%s/reconciler.lock", data);
  m->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (m->lock_fd < 0)
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", path, strerror(errno));
  if (flock(m->lock_fd, LOCK_EX | LOCK_NB))
    return error_set(err, ERROR_UNAVAILABLE, "%s is in use by another reconciler", data);
  return 0;
}

int machine_init(Machine *m, Loop *loop, const ReconcilerConfig *c, Error *err) {
  *m = (Machine){.config = c, .lock_fd = -1};
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
  if ((mkdir(m->folder, 0711) && errno != EEXIST) || chmod(m->folder, 0711))
    return error_set(err, ERROR_UNAVAILABLE, "%s: %s", m->folder, strerror(errno));
  /* the data folder's own groups, so that several stacks on a machine keep apart */
  CLEANUP(str_freep) char *parent = str_printf("sandplane-%08x", str_fnv1a32(data, strlen(data)));
  if (!(m->cgroups = cgroup_tree_new(c->cgroup_root, parent, err)))
    return -1;
  if (!(m->images = image_store_new(loop, images, unpack, err)))
    return -1;
  IsolationSite site = {.cgroups = m->cgroups, .scratch = data};
  m->isolations[0] = isolation_gvisor_new(c, runtime, &site, &m->missing[0]);
  m->isolations[1] = isolation_process_new(c, runtime, &site, &m->missing[1]);
  return 0;
}

void machine_deinit(Machine *m) {
  for (size_t i = 0; i < MACHINE_N_CLASSES; i++)
    if (m->isolations[i])
      m->isolations[i]->free(m->isolations[i]);
  image_store_free(m->images);
  cgroup_tree_free(m->cgroups);
  if (m->lock_fd >= 0)
    close(m->lock_fd);
  free(m->folder);
}
