/* See mount_points.h. Component by component and O_NOFOLLOW, which is what openat2 does for RESOLVE_NO_SYMLINKS and
 * RESOLVE_BENEATH where there are no "..", on every kernel. */
#include "services/reconciler/local/mount_points.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"

const char *const MOUNT_POINTS[] = {"proc", "dev", "sys", "tmp", "run", "run/sandplane", MOUNT_POINTS_OWN};
const size_t N_MOUNT_POINTS = ARRAY_LEN(MOUNT_POINTS);

static bool is_within(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return strncmp(path, folder, n) == 0 && (path[n] == '/' || !path[n]);
}

const char *mount_point_fault(const char *path) {
  static const char *const TAKEN[] = {"/proc", "/sys", "/dev", "/run/sandplane", ("/" MOUNT_POINTS_OWN)};
  if (*path != '/' || !path[1])
    return "it must be an absolute path, and not / itself";
  for (const char *at = path + 1; *at;) {
    size_t n = strcspn(at, "/");
    if (n == 0 || (n == 1 && *at == '.') || (n == 2 && strncmp(at, "..", 2) == 0))
      return "it has a part that is empty, . or ..";
    at += n + (at[n] == '/');
  }
  for (size_t i = 0; i < ARRAY_LEN(TAKEN); i++)
    if (is_within(path, TAKEN[i]))
      return "something else is mounted there";
  return NULL;
}

static int open_folder(int at, const char *name) {
  return openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int mount_point_open(int root_fd, const char *path, bool make) {
  CLEANUP(str_freep) char *own = str_dup(path);
  char *saved = NULL;
  int fd = open_folder(root_fd, ".");
  for (char *name = strtok_r(own, "/", &saved); name && fd >= 0; name = strtok_r(NULL, "/", &saved)) {
    int next = strcmp(name, "..") == 0 ? (errno = ELOOP, -1) : open_folder(fd, name);
    if (next < 0 && errno == ENOENT && make && mkdirat(fd, name, 0755) == 0)
      next = open_folder(fd, name);
    int why = errno;
    close(fd);
    errno = why;
    fd = next;
  }
  return fd;
}

static int check(int root_fd, const char *path, Error *err) {
  int fd = mount_point_open(root_fd, path, false);
  if (fd < 0)
    return error_set(err, ERROR_FAILED_PRECONDITION, "/%s in the image is not a real folder: %s",
                     path + strspn(path, "/"), errno == ELOOP ? strerror(ENOTDIR) : strerror(errno));
  close(fd);
  return 0;
}

int mount_points_check(const char *rootfs, const char *working_dir, Error *err) {
  int root_fd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root_fd < 0)
    return error_set(err, ERROR_FAILED_PRECONDITION, "%s: %s", rootfs, strerror(errno));
  int rc = 0;
  for (size_t i = 0; i < N_MOUNT_POINTS && rc == 0; i++)
    rc = check(root_fd, MOUNT_POINTS[i], err);
  if (rc == 0 && *working_dir)
    rc = check(root_fd, working_dir, err);
  struct stat st;
  if (rc == 0 &&
      (fstatat(root_fd, MOUNT_POINTS_OWN "/" MOUNT_POINTS_RUNTIME, &st, AT_SYMLINK_NOFOLLOW) || !S_ISREG(st.st_mode)))
    rc = error_set(err, ERROR_FAILED_PRECONDITION,
                   "/" MOUNT_POINTS_OWN "/" MOUNT_POINTS_RUNTIME " in the image is not a file");
  close(root_fd);
  return rc;
}
