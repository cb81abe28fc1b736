/* ListFiles, Stat, RemoveFile. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <google/protobuf/empty.pb-c.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "runtime/call/methods.h"
#include "runtime/file/file_info.h"
#include "runtime/http/json_text.h"

/* Entries a message, as ListFilesResponse states. */
#define BATCH 500
/* Folders within folders that a recursive removal goes down. */
#define REMOVE_DEPTH_MAX 256

static void fail_bad(Call *call) {
  Error err;
  error_set(&err, ERROR_INVALID_ARGUMENT, "not a message of this method, more than one, or none");
  call_finish(call, &err);
}

/* ---- ListFiles ---- */

typedef struct List {
  DIR *dir;
  char *path;
} List;

/* One message; false at the end. */
static bool send_batch(Call *call, List *x) {
  Arena *arena = arena_new();
  FileInfo *infos = arena_alloc(arena, BATCH * sizeof *infos);
  Sandplane__V1__FileInfo **files = arena_alloc(arena, BATCH * sizeof(Sandplane__V1__FileInfo *));
  size_t n = 0;
  struct dirent *e = NULL;
  while (n < BATCH && (e = readdir(x->dir))) {
    struct stat st;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    if (fstatat(dirfd(x->dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
      continue; /* gone since */
    const char *base = x->path + strspn(x->path, "/");
    bool slash = *base && base[strlen(base) - 1] != '/';
    CLEANUP(str_freep) char *name = json_text_repair(e->d_name);
    file_info_init(&infos[n], arena_printf(arena, "%s%s%s", base, slash ? "/" : "", name), &st);
    files[n] = &infos[n].message;
    n++;
  }
  if (n > 0) {
    Sandplane__V1__ListFilesResponse r = SANDPLANE__V1__LIST_FILES_RESPONSE__INIT;
    r.files = files;
    r.n_files = n;
    call_send_message(call, &r.base);
  }
  arena_free(arena);
  return e != NULL;
}

static void list_pump(Call *call) {
  List *x = call_data(call);
  runtime_become_user(call_runtime(call));
  bool more = true;
  while (more && call_pending(call) < STREAM_HIGH)
    more = send_batch(call, x);
  runtime_become_self(call_runtime(call));
  if (!more)
    call_finish(call, NULL);
}

static void list_message(Call *call, const uint8_t *data, size_t len) {
  Sandplane__V1__ListFilesRequest *q =
      call_data(call) ? NULL : sandplane__v1__list_files_request__unpack(NULL, len, data);
  if (!q)
    return fail_bad(call);
  Error err;
  Runtime *rt = call_runtime(call);
  runtime_become_user(rt);
  int fd = path_open_dir(&rt->workspace, q->path, &err);
  runtime_become_self(rt);
  if (fd < 0) {
    call_finish(call, &err);
  } else {
    List *x = new0(List);
    *x = (List){.dir = fdopendir(fd), .path = str_dup(q->path)};
    if (!x->dir)
      abort();
    call_set_data(call, x);
    list_pump(call);
  }
  sandplane__v1__list_files_request__free_unpacked(q, NULL);
}

static void list_half_close(Call *call) {
  if (!call_data(call))
    fail_bad(call);
}

static void list_end(Call *call) {
  List *x = call_data(call);
  if (!x)
    return;
  closedir(x->dir);
  free(x->path);
  free(x);
}

const CallMethod METHOD_LIST_FILES = {.name = "ListFiles",
                                      .request = &sandplane__v1__list_files_request__descriptor,
                                      .on_message = list_message,
                                      .on_half_close = list_half_close,
                                      .on_drained = list_pump,
                                      .on_end = list_end};

/* ---- one place in the workspace ---- */

static void ignore_half_close(Call *call) {
  fail_bad(call);
}

/* path: as the caller wrote it. */
typedef int (*PlaceFn)(const PathHit *hit, const char *path, void *arg, Error *err);

/* fn with what path names, both as the user whose files they are; the name may be of nothing. */
static int at_place(Call *call, const char *path, PlaceFn fn, void *arg, Error *err) {
  Runtime *rt = call_runtime(call);
  PathHit hit;
  if (!*path)
    return error_field(err, "path", "is empty");
  runtime_become_user(rt);
  int rc = path_resolve(&rt->workspace, path, 0, &hit, err);
  if (rc == 0) {
    rc = fn(&hit, path, arg, err);
    close(hit.dir_fd);
  }
  runtime_become_self(rt);
  return rc;
}

/* ---- Stat ---- */

static int stat_place(const PathHit *hit, const char *path, void *info, Error *err) {
  if (!hit->exists)
    return path_errno(err, ENOENT, path);
  file_info_init(info, path, &hit->st);
  return 0;
}

static void stat_message(Call *call, const uint8_t *data, size_t len) {
  Sandplane__V1__StatRequest *q = sandplane__v1__stat_request__unpack(NULL, len, data);
  if (!q)
    return fail_bad(call);
  Error err;
  FileInfo info;
  int rc = at_place(call, q->path, stat_place, &info, &err);
  if (rc == 0)
    call_send_message(call, &info.message.base);
  sandplane__v1__stat_request__free_unpacked(q, NULL);
  call_finish(call, rc ? &err : NULL);
}

const CallMethod METHOD_STAT = {.name = "Stat",
                                .request = &sandplane__v1__stat_request__descriptor,
                                .on_message = stat_message,
                                .on_half_close = ignore_half_close};

/* ---- RemoveFile ---- */

/* Removes all below a folder, never following a link. */
static int empty_dir(int dir_fd, const char *name, const char *path, int depth, Error *err) {
  if (depth == REMOVE_DEPTH_MAX)
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\" is more than %d folders deep", path, depth);
  int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  if (!dir)
    return path_errno(err, errno, path);
  int rc = 0;
  for (struct dirent *e; rc == 0 && (e = readdir(dir));) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    if (unlinkat(fd, e->d_name, 0) == 0 || errno == ENOENT)
      continue;
    if (errno != EISDIR && errno != EPERM)
      rc = path_errno(err, errno, path);
    else if (empty_dir(fd, e->d_name, path, depth + 1, err))
      rc = -1;
    else if (unlinkat(fd, e->d_name, AT_REMOVEDIR) && errno != ENOENT)
      rc = path_errno(err, errno, path);
  }
  closedir(dir);
  return rc;
}

static int remove_place(const PathHit *hit, const char *path, void *arg, Error *err) {
  bool recursive = *(const bool *)arg;
  if (strcmp(hit->name, ".") == 0)
    return error_field(err, "path", "names the workspace itself");
  if (!hit->exists)
    return path_errno(err, ENOENT, path);
  if (!S_ISDIR(hit->st.st_mode))
    return unlinkat(hit->dir_fd, hit->name, 0) ? path_errno(err, errno, path) : 0;
  if (recursive && empty_dir(hit->dir_fd, hit->name, path, 0, err))
    return -1;
  if (unlinkat(hit->dir_fd, hit->name, AT_REMOVEDIR) == 0)
    return 0;
  if (errno == ENOTEMPTY || errno == EEXIST)
    return error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\" is not empty; set recursive to remove all of it", path);
  return path_errno(err, errno, path);
}

static void remove_message(Call *call, const uint8_t *data, size_t len) {
  Sandplane__V1__RemoveFileRequest *q = sandplane__v1__remove_file_request__unpack(NULL, len, data);
  if (!q)
    return fail_bad(call);
  Error err;
  bool recursive = q->recursive;
  int rc = at_place(call, q->path, remove_place, &recursive, &err);
  sandplane__v1__remove_file_request__free_unpacked(q, NULL);
  if (rc == 0) {
    Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
    call_send_message(call, &empty.base);
  }
  call_finish(call, rc ? &err : NULL);
}

const CallMethod METHOD_REMOVE_FILE = {.name = "RemoveFile",
                                       .request = &sandplane__v1__remove_file_request__descriptor,
                                       .on_message = remove_message,
                                       .on_half_close = ignore_half_close};
