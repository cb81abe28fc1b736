/* See authz_file.h. */
#include "lib/authz/authz_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/compiler.h"

static int64_t ns_of(struct timespec t) {
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

AuthzStamp authz_stamp(const char *path) {
  struct stat st;
  if (stat(path, &st) != 0)
    return (AuthzStamp){0};
  return (AuthzStamp){true,      st.st_dev,  st.st_ino,         st.st_mode,
                      st.st_uid, st.st_size, ns_of(st.st_mtim), ns_of(st.st_ctim)};
}

bool authz_stamp_equal(const AuthzStamp *a, const AuthzStamp *b) {
  return a->there == b->there && a->dev == b->dev && a->ino == b->ino && a->mode == b->mode && a->uid == b->uid &&
         a->size == b->size && a->modified_ns == b->modified_ns && a->changed_ns == b->changed_ns;
}

static int refuse(const char *option, const char *path, const char *why, Error *err) {
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s: %s", option, path, why);
}

int authz_file_check(const char *option, const char *path, const struct stat *st, AuthzSecrecy secrecy, Error *err) {
  bool own = st->st_uid == geteuid();
  if (!S_ISREG(st->st_mode))
    return refuse(option, path, "is no file", err);
  if (!own && st->st_uid != 0)
    return refuse(option, path, "belongs to another user", err);
  if (st->st_mode & (S_IWGRP | S_IWOTH))
    return refuse(option, path, "others may write it (chmod 600)", err);
  if (secrecy == AUTHZ_FILE_SECRET && (st->st_mode & S_IROTH || (own && st->st_mode & S_IRGRP)))
    return refuse(option, path, "others may read it (chmod 600)", err);
  return 0;
}

static int read_all(int fd, const char *option, const char *path, Buf *out, Error *err) {
  char block[4096];
  ssize_t n;
  int rc = 0;
  while (rc == 0 && (n = read(fd, block, sizeof block)) != 0) {
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      rc = refuse(option, path, strerror(errno), err);
    else if (buf_append(out, block, (size_t)n) != 0)
      rc = error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s: more than %zu bytes", option, path, out->max);
  }
  explicit_bzero(block, sizeof block);
  return rc;
}

int authz_file_read(const char *option, const char *path, AuthzSecrecy secrecy, Buf *out, Error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat st;
  if (fd < 0)
    return refuse(option, path, strerror(errno), err);
  /* of what was opened, not of what has the name by then */
  int rc = fstat(fd, &st) == 0 ? authz_file_check(option, path, &st, secrecy, err)
                               : refuse(option, path, strerror(errno), err);
  if (rc == 0)
    rc = read_all(fd, option, path, out, err);
  close(fd);
  return rc;
}

void authz_file_forget(Buf *text) {
  if (text->data)
    explicit_bzero(text->data, text->len);
  buf_deinit(text);
}
