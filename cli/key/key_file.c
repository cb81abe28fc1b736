/* See key_file.h. */
#include "cli/key/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/authz/authz_file.h"
#include "lib/base/str.h"

#define OPTION "--file"

static int fail(const char *path, Error *err) {
  return error_set(err, ERROR_FAILED_PRECONDITION, "%s: %s", path, strerror(errno));
}

/* The folder and not the file is locked: the file is another one after each change. */
static int open_folder(const char *path, Error *err) {
  const char *slash = strrchr(path, '/');
  CLEANUP(str_freep) char *folder = slash ? str_ndup(path, (size_t)(slash - path) + 1) : str_dup(".");
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return fail(path, err);
  if (flock(fd, LOCK_EX) == 0)
    return fd;
  close(fd);
  return fail(path, err);
}

int key_file_open(KeyFile *file, const char *path, bool may_be_new, Error *err) {
  char real[PATH_MAX];
  const char *found = realpath(path, real);
  *file = (KeyFile){.path = str_dup(found ? found : path), .text = BUF_INIT(AUTHZ_FILE_MAX)};
  file->folder = open_folder(file->path, err);
  if (file->folder >= 0) {
    file->is_new = access(file->path, F_OK) != 0 && errno == ENOENT;
    if ((file->is_new && may_be_new) || authz_file_read(OPTION, file->path, AUTHZ_FILE_SECRET, &file->text, err) == 0)
      return 0;
  }
  key_file_close(file);
  return -1;
}

void key_file_close(KeyFile *file) {
  if (file->folder >= 0)
    close(file->folder);
  free(file->path);
  buf_deinit(&file->text);
}

static int write_all(int fd, const Buf *text) {
  for (size_t at = 0; at < text->len;) {
    ssize_t n = write(fd, text->data + at, text->len - at);
    if (n < 0 && errno != EINTR)
      return -1;
    at += n > 0 ? (size_t)n : 0;
  }
  return fsync(fd);
}

int key_file_replace(KeyFile *file, Error *err) {
  CLEANUP(str_freep) char *temporary = str_printf("%s.XXXXXX", file->path);
  int fd = mkostemp(temporary, O_CLOEXEC); /* 0600 */
  if (fd < 0)
    return fail(file->path, err);
  int rc = write_all(fd, &file->text);
  if (close(fd) != 0 || rc != 0 || rename(temporary, file->path) != 0) {
    int why = errno;
    unlink(temporary);
    errno = why;
    return fail(file->path, err);
  }
  /* the name too */
  return fsync(file->folder) == 0 ? 0 : fail(file->path, err);
}

int key_file_each(const KeyFile *file, KeyLineFn fn, void *arg, Error *err) {
  const char *at = buf_str(&file->text), *end = at + file->text.len;
  for (int number = 1; at < end; number++) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);
    AuthzKey key;
    int rc = authz_key_parse(at, len, &key, err);
    if (rc < 0) {
      const char *colon = *err->field ? ": " : "";
      return error_prefix(err, "%s:%d%s%s", file->path, number, colon, err->field);
    }
    fn(arg, at, len + (stop != NULL), rc ? &key : NULL);
    authz_key_deinit(&key);
    at += len + 1;
  }
  return 0;
}
