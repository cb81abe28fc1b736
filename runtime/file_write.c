/* See file_write.h. */
#include "runtime/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

static int begin_as_user(FileWrite *w, mode_t mode, Error *err) {
  if (path_resolve(&w->rt->workspace, w->path, PATH_FOLLOW | PATH_MAKE_PARENTS, &w->at, err))
    return -1;
  if (strcmp(w->at.name, ".") == 0)
    return error_field(err, "path", "names the workspace itself");
  if (w->at.exists && !S_ISREG(w->at.st.st_mode))
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\" exists and is not a regular file", w->path);
  char suffix[17];
  random_name_suffix(suffix, 16);
  snprintf(w->temp, sizeof w->temp, ".sandplane-%s", suffix);
  w->fd = openat(w->at.dir_fd, w->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (w->fd < 0)
    return path_errno(err, errno, w->path);
  /* the mode that was asked for, whatever the umask */
  if (fchmod(w->fd, mode))
    return path_errno(err, errno, w->path);
  return 0;
}

int file_write_begin(FileWrite *w, const Runtime *rt, const char *path, mode_t mode, Error *err) {
  *w = (FileWrite){.rt = rt, .path = str_dup(path), .at = {.dir_fd = -1}, .fd = -1};
  runtime_become_user(rt);
  int rc = begin_as_user(w, mode, err);
  runtime_become_self(rt);
  if (rc)
    file_write_end(w);
  return rc;
}

int file_write_data(FileWrite *w, const uint8_t *data, size_t len, Error *err) {
  while (len > 0) {
    ssize_t n = write(w->fd, data, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return path_errno(err, errno, w->path);
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

int file_write_commit(FileWrite *w, struct stat *ret_st, Error *err) {
  int rc = 0;
  runtime_become_user(w->rt);
  if (renameat(w->at.dir_fd, w->temp, w->at.dir_fd, w->at.name))
    rc = path_errno(err, errno, w->path);
  else
    *w->temp = 0;
  runtime_become_self(w->rt);
  if (rc == 0 && ret_st && fstat(w->fd, ret_st))
    rc = path_errno(err, errno, w->path);
  return rc;
}

void file_write_end(FileWrite *w) {
  if (w->fd >= 0)
    close(w->fd);
  if (*w->temp) {
    runtime_become_user(w->rt);
    unlinkat(w->at.dir_fd, w->temp, 0);
    runtime_become_self(w->rt);
  }
  if (w->at.dir_fd >= 0)
    close(w->at.dir_fd);
  free(w->path);
  *w = (FileWrite){.at = {.dir_fd = -1}, .fd = -1};
}
