/* See save_json.h. A rename alone is not enough: it may reach the disk before what it names does, and what is left
 * then is an empty file. */
#include "services/reconciler/local/save_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

int sync_folder(const char *folder, Error *err) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int rc = fd >= 0 && fsync(fd) == 0 ? 0 : error_set(err, ERROR_INTERNAL, "%s: %s", folder, strerror(errno));
  if (fd >= 0)
    close(fd);
  return rc;
}

int save_json(const char *folder, const char *name, const json_t *doc, Error *err) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s", folder, name);
  CLEANUP(str_freep) char *temp = str_printf("%s/.%s", folder, name);
  errno = 0;
  int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  int rc = fd >= 0 && json_dumpfd(doc, fd, JSON_INDENT(2) | JSON_SORT_KEYS) == 0 && fsync(fd) == 0 ? 0 : -1;
  if (rc == 0)
    rc = rename(temp, path);
  if (rc)
    error_set(err, ERROR_INTERNAL, "%s: %s", path, strerror(errno ? errno : EIO));
  if (fd >= 0)
    close(fd);
  if (rc == 0)
    return sync_folder(folder, err);
  unlink(temp);
  return -1;
}
