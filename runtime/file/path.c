/* See path.h. */
#include "runtime/file/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

/* As Linux has it (MAXSYMLINKS). */
#define LINKS_MAX 40
/* Folders held open on the way, for "..". */
#define DEPTH_MAX 64

typedef struct Walk {
  const Workspace *ws;
  const char *path; /* as given, for messages */
  int fds[DEPTH_MAX];
  int depth; /* fds[0] is the workspace's own, never closed here */
  int links;
  char rest[PATH_TEXT_MAX + 1]; /* what is still to be walked */
} Walk;

int workspace_init(Workspace *ws, const char *path, Error *err) {
  *ws = (Workspace){.fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), .path = realpath(path, NULL)};
  if (ws->fd >= 0 && ws->path)
    return 0;
  error_set(err, ERROR_NOT_FOUND, "workspace %s: %s", path, strerror(errno));
  workspace_deinit(ws);
  return -1;
}

void workspace_deinit(Workspace *ws) {
  if (ws->fd >= 0)
    close(ws->fd);
  free(ws->path);
  *ws = (Workspace){.fd = -1};
}

int path_errno(Error *err, int errnum, const char *path) {
  switch (errnum) {
  case ENOENT:
    return error_set(err, ERROR_NOT_FOUND, "\"%s\" does not exist", path);
  case EACCES:
  case EPERM:
  case EROFS:
    return error_set(err, ERROR_PERMISSION_DENIED, "\"%s\": %s", path, strerror(errnum));
  case ENOSPC:
  case EDQUOT:
  case EMFILE:
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "\"%s\": %s", path, strerror(errnum));
  case ENAMETOOLONG:
    return error_field(err, "path", "a name in it is too long");
  default:
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\": %s", path, strerror(errnum));
  }
}

#define OUTSIDE "leads out of the workspace"

static int outside(const Walk *w, Error *err) {
  /* the end is what it is known by */
  return error_set(err, ERROR_PERMISSION_DENIED, "\"%.400s\" " OUTSIDE, w->path);
}

bool path_is_outside(const Error *err) {
  size_t len = strlen(err->message), tail = strlen(OUTSIDE);
  return err->kind == ERROR_PERMISSION_DENIED && len >= tail && strcmp(err->message + len - tail, OUTSIDE) == 0;
}

static void pop_to(Walk *w, int depth) {
  while (w->depth > depth)
    close(w->fds[w->depth--]);
}

/* Puts a link's target before what is left. */
static int splice_link(Walk *w, int dir_fd, const char *name, Error *err) {
  char target[PATH_TEXT_MAX + 1], joined[PATH_TEXT_MAX + 1];
  if (++w->links > LINKS_MAX)
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\": too many symbolic links", w->path);
  ssize_t n = readlinkat(dir_fd, name, target, sizeof target - 1);
  if (n < 0)
    return path_errno(err, errno, w->path);
  target[n] = 0;
  const char *from = target;
  if (*target == '/') {
    size_t len = w->ws->path[1] ? strlen(w->ws->path) : 0; /* "/" is above every absolute path */
    if (strncmp(target, w->ws->path, len) != 0 || (target[len] && target[len] != '/'))
      return outside(w, err);
    from = target + len;
    pop_to(w, 0);
  }
  if (strlen(from) + strlen(w->rest) + 2 > sizeof joined)
    return path_errno(err, ENAMETOOLONG, w->path);
  size_t len = (size_t)snprintf(joined, sizeof joined, "%s/%s", from, w->rest);
  memcpy(w->rest, joined, len + 1);
  return 0;
}

/* Takes the first component off the rest into name; false when there is none. Blank ones and "." are skipped. */
static bool next_component(Walk *w, char *name, bool *ret_last, Error *err, int *ret_rc) {
  *ret_rc = 0;
  for (;;) {
    char *p = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(p, "/");
    if (len == 0)
      return false;
    if (len > PATH_NAME_MAX) {
      *ret_rc = path_errno(err, ENAMETOOLONG, w->path);
      return false;
    }
    memcpy(name, p, len);
    name[len] = 0;
    memmove(w->rest, p + len, strlen(p + len) + 1);
    if (strcmp(name, ".") == 0)
      continue;
    *ret_last = w->rest[strspn(w->rest, "/.")] == 0 && strstr(w->rest, "..") == NULL;
    return true;
  }
}

static int enter(Walk *w, const char *name, int flags, Error *err) {
  if (w->depth + 1 == DEPTH_MAX)
    return error_field(err, "path", "more than %d folders deep", DEPTH_MAX - 1);
  int dir = w->fds[w->depth];
  int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT && flags & PATH_MAKE_PARENTS) {
    if (mkdirat(dir, name, 0755) && errno != EEXIST)
      return path_errno(err, errno, w->path);
    fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  }
  if (fd >= 0) {
    w->fds[++w->depth] = fd;
    return 0;
  }
  int why = errno;
  struct stat st;
  /* ENOTDIR and ELOOP: it may be a link */
  if ((why == ENOTDIR || why == ELOOP) && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
    return splice_link(w, dir, name, err);
  return path_errno(err, why, w->path);
}

/* The last component: where it is and what. 1: it was a link and the walk goes on. */
static int arrive(Walk *w, const char *name, int flags, PathHit *hit, Error *err) {
  int dir = w->fds[w->depth];
  hit->exists = fstatat(dir, name, &hit->st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!hit->exists && errno != ENOENT)
    return path_errno(err, errno, w->path);
  if (hit->exists && S_ISLNK(hit->st.st_mode) && flags & PATH_FOLLOW)
    return splice_link(w, dir, name, err) ? -1 : 1;
  snprintf(hit->name, sizeof hit->name, "%s", name);
  hit->dir_fd = fcntl(dir, F_DUPFD_CLOEXEC, 3);
  return hit->dir_fd < 0 ? path_errno(err, errno, w->path) : 0;
}

static int walk(Walk *w, int flags, PathHit *hit, Error *err) {
  char name[PATH_NAME_MAX + 1];
  bool last = false;
  int rc;
  while (next_component(w, name, &last, err, &rc)) {
    if (strcmp(name, "..") == 0) {
      if (w->depth == 0)
        return outside(w, err);
      pop_to(w, w->depth - 1);
      continue;
    }
    if (last) {
      rc = arrive(w, name, flags, hit, err);
      if (rc <= 0)
        return rc;
    } else if (enter(w, name, flags, err)) {
      return -1;
    }
  }
  if (rc)
    return -1;
  return arrive(w, ".", flags, hit, err);
}

int path_resolve(const Workspace *ws, const char *path, int flags, PathHit *hit, Error *err) {
  Walk w = {.ws = ws, .path = path, .fds = {ws->fd}};
  size_t len = strlen(path);
  if (len > PATH_TEXT_MAX)
    return error_field(err, "path", "longer than %d bytes", PATH_TEXT_MAX);
  memcpy(w.rest, path, len + 1);
  *hit = (PathHit){.dir_fd = -1};
  int rc = walk(&w, flags, hit, err);
  pop_to(&w, 0);
  return rc;
}

int path_open_dir(const Workspace *ws, const char *path, Error *err) {
  PathHit hit;
  if (path_resolve(ws, path, PATH_FOLLOW, &hit, err))
    return -1;
  int fd = hit.exists ? openat(hit.dir_fd, hit.name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC) : -1;
  int why = hit.exists ? errno : ENOENT;
  close(hit.dir_fd);
  return fd >= 0 ? fd : path_errno(err, why, path);
}
