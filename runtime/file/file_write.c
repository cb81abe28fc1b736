/* See file_write.h. */
#include "runtime/file/file_write.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/str.h"

#define NEW_FILE_MODE 0644
#define COPY_CHUNK (256 << 10)

static int fail(const FileWrite *w, int errnum, Error *err) {
  return path_errno(err, errnum, w->path);
}

/* For writing, as the user who asks; nothing of it is changed yet. */
static int open_target(const FileWrite *w) {
  /* not blocking, or opening a fifo that took its place would wait for a reader */
  return openat(w->at.dir_fd, w->at.name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool may_change_mode(const struct stat *st) {
  return geteuid() == 0 || st->st_uid == geteuid();
}

static int check_target(const FileWrite *w, const struct stat *st, Error *err) {
  if (!S_ISREG(st->st_mode))
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\" exists and is not a regular file", w->path);
  int fd = open_target(w);
  if (fd < 0)
    return fail(w, errno, err);
  close(fd);
  if (w->mode && w->mode != (st->st_mode & 07777) && !may_change_mode(st))
    return error_set(err, ERROR_PERMISSION_DENIED, "\"%s\": its mode is its owner's to change", w->path);
  return 0;
}

/* Where what is sent is collected. Beside its place, so that it can be renamed; a file that may be written in a folder
 * that may not is collected elsewhere. */
static int open_collected(FileWrite *w) {
  char suffix[17];
  random_name_suffix(suffix, 16);
  snprintf(w->temp, sizeof w->temp, ".sandplane-%s", suffix);
  int fd = openat(w->at.dir_fd, w->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0)
    return fd;
  *w->temp = 0;
  int why = errno;
  if (!w->at.exists || (why != EACCES && why != EPERM && why != EROFS))
    return -1;
  fd = open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  return fd >= 0 ? fd : memfd_create("collected", MFD_CLOEXEC);
}

static int begin_as_user(FileWrite *w, Error *err) {
  if (path_resolve(&w->rt->workspace, w->path, PATH_FOLLOW | PATH_MAKE_PARENTS, &w->at, err))
    return -1;
  if (strcmp(w->at.name, ".") == 0)
    return error_field(err, "path", "names the workspace itself");
  if (w->at.exists && check_target(w, &w->at.st, err))
    return -1;
  w->fd = open_collected(w);
  return w->fd < 0 ? fail(w, errno, err) : 0;
}

int file_write_begin(FileWrite *w, const Runtime *rt, const char *path, mode_t mode, Error *err) {
  *w = (FileWrite){.rt = rt, .path = str_dup(path), .at = {.dir_fd = -1}, .mode = mode, .fd = -1};
  runtime_become_user(rt);
  int rc = begin_as_user(w, err);
  runtime_become_self(rt);
  if (rc)
    file_write_end(w);
  return rc;
}

static int write_all(int fd, const uint8_t *data, size_t len) {
  while (len > 0) {
    ssize_t n = write(fd, data, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return -1;
    data += n;
    len -= (size_t)n;
  }
  return 0;
}

int file_write_data(FileWrite *w, const uint8_t *data, size_t len, Error *err) {
  return write_all(w->fd, data, len) ? fail(w, errno, err) : 0;
}

/* ---- in place ---- */

static int copy_to(const FileWrite *w, int fd) {
  static uint8_t chunk[COPY_CHUNK]; /* one thread */
  for (off_t at = 0;;) {
    ssize_t n = pread(w->fd, chunk, sizeof chunk, at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return n == 0 ? ftruncate(fd, at) : -1;
    if (write_all(fd, chunk, (size_t)n))
      return -1;
    at += n;
  }
}

static int rename_into_place(FileWrite *w, mode_t mode, Error *err) {
  if (fchmod(w->fd, mode) || renameat(w->at.dir_fd, w->temp, w->at.dir_fd, w->at.name))
    return fail(w, errno, err);
  *w->temp = 0;
  return 0;
}

static int write_over(FileWrite *w, int fd, const struct stat *st, off_t size, Error *err) {
  mode_t had = st->st_mode & 07777, mode = w->mode ? w->mode : had;
  /* Room first: what is there must not be lost for want of it. Where that cannot be asked for, it is taken on the way.
   */
  if (size > st->st_size && fallocate(fd, 0, 0, size) && (errno == ENOSPC || errno == EDQUOT)) {
    /* none for both: then the one replaces the other, if no name and no owner is lost by that */
    if (st->st_nlink == 1 && st->st_uid == geteuid() && *w->temp)
      return rename_into_place(w, mode, err);
    return fail(w, ENOSPC, err);
  }
  /* meanwhile nobody has a right that one of the two does not give */
  if (mode != had && fchmod(fd, mode & had))
    return fail(w, errno, err);
  if (copy_to(w, fd) || (mode != had && fchmod(fd, mode)))
    return fail(w, errno, err);
  return 0;
}

static int make_new(FileWrite *w, Error *err) {
  mode_t mode = w->mode ? w->mode : NEW_FILE_MODE;
  if (*w->temp)
    return rename_into_place(w, mode, err);
  /* it was there when this began, in a folder where nothing can be made */
  return fail(w, ENOENT, err);
}

static int commit_as_user(FileWrite *w, Error *err) {
  struct stat st, collected;
  /* it may have come, gone or been replaced meanwhile */
  if (fstatat(w->at.dir_fd, w->at.name, &st, AT_SYMLINK_NOFOLLOW))
    return errno == ENOENT ? make_new(w, err) : fail(w, errno, err);
  if (check_target(w, &st, err))
    return -1;
  int fd = open_target(w);
  if (fd < 0 || fstat(fd, &st) || fstat(w->fd, &collected)) {
    fail(w, errno, err);
    if (fd >= 0)
      close(fd);
    return -1;
  }
  int rc = write_over(w, fd, &st, collected.st_size, err);
  close(fd);
  return rc;
}

int file_write_commit(FileWrite *w, struct stat *ret_st, Error *err) {
  runtime_become_user(w->rt);
  int rc = commit_as_user(w, err);
  if (rc == 0 && ret_st && fstatat(w->at.dir_fd, w->at.name, ret_st, AT_SYMLINK_NOFOLLOW))
    rc = fail(w, errno, err);
  runtime_become_self(w->rt);
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
