/* ReadFile and WriteFile: streams of any length through a bounded buffer. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "runtime/call/methods.h"
#include "runtime/file/file_info.h"
#include "runtime/file/file_write.h"

#define READ_CHUNK (64 << 10)

static void fail_no_message(Call *call, const char *type) {
  Error err;
  error_set(&err, ERROR_INVALID_ARGUMENT, "not a %s message, or more than one", type);
  call_finish(call, &err);
}

static void fail_missing(Call *call) {
  Error err;
  error_set(&err, ERROR_INVALID_ARGUMENT, "the request is missing");
  call_finish(call, &err);
}

/* ---- ReadFile ---- */

typedef struct Read {
  int fd;
  char *path;
  int64_t left; /* -1: to the end */
} Read;

/* Sends until the peer is slow or the file ends. */
static void pump(Call *call) {
  Read *x = call_data(call);
  static uint8_t chunk[READ_CHUNK]; /* one thread, and call_send copies */
  while (call_pending(call) < STREAM_HIGH) {
    size_t want = x->left >= 0 && x->left < READ_CHUNK ? (size_t)x->left : READ_CHUNK;
    ssize_t n = want ? read(x->fd, chunk, want) : 0;
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      Error err;
      path_errno(&err, errno, x->path);
      return call_finish(call, &err);
    }
    if (n == 0)
      return call_finish(call, NULL);
    if (x->left >= 0)
      x->left -= n;
    Sandplane__V1__ReadFileResponse r = SANDPLANE__V1__READ_FILE_RESPONSE__INIT;
    r.data = (ProtobufCBinaryData){(size_t)n, chunk};
    call_send_message(call, &r.base);
  }
}

static int open_for_reading(Call *call, const Sandplane__V1__ReadFileRequest *q, struct stat *st, Error *err) {
  if (!*q->path)
    return error_field(err, "path", "is empty");
  if (q->offset < 0)
    return error_field(err, "offset", "is negative");
  if (q->limit < 0)
    return error_field(err, "limit", "is negative");
  Runtime *rt = call_runtime(call);
  PathHit hit;
  runtime_become_user(rt);
  int fd = -1, rc = path_resolve(&rt->workspace, q->path, PATH_FOLLOW, &hit, err);
  if (rc == 0) {
    /* not blocking, or opening a fifo would wait for its writer */
    fd = hit.exists ? openat(hit.dir_fd, hit.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    if (fd < 0)
      rc = path_errno(err, hit.exists ? errno : ENOENT, q->path);
    close(hit.dir_fd);
  }
  runtime_become_self(rt);
  if (rc)
    return -1;
  if (fstat(fd, st) || !S_ISREG(st->st_mode))
    rc = error_set(err, ERROR_FAILED_PRECONDITION, "\"%s\" is not a regular file", q->path);
  else if (lseek(fd, q->offset, SEEK_SET) < 0)
    rc = path_errno(err, errno, q->path);
  if (rc)
    close(fd);
  return rc ? -1 : fd;
}

static void read_message(Call *call, const uint8_t *data, size_t len) {
  Sandplane__V1__ReadFileRequest *q =
      call_data(call) ? NULL : sandplane__v1__read_file_request__unpack(NULL, len, data);
  if (!q)
    return fail_no_message(call, "ReadFileRequest");
  Error err;
  struct stat st;
  int fd = open_for_reading(call, q, &st, &err);
  if (fd < 0) {
    call_finish(call, &err);
  } else {
    Read *x = new0(Read);
    *x = (Read){.fd = fd, .path = strdup(q->path), .left = q->limit ? q->limit : -1};
    call_set_data(call, x);
    FileInfo info;
    file_info_init(&info, q->path, &st);
    Sandplane__V1__ReadFileResponse r = SANDPLANE__V1__READ_FILE_RESPONSE__INIT;
    r.info = &info.message;
    call_send_message(call, &r.base);
    pump(call);
  }
  sandplane__v1__read_file_request__free_unpacked(q, NULL);
}

static void read_half_close(Call *call) {
  if (!call_data(call))
    fail_missing(call);
}

static void read_end(Call *call) {
  Read *x = call_data(call);
  if (!x)
    return;
  close(x->fd);
  free(x->path);
  free(x);
}

const CallMethod METHOD_READ_FILE = {.name = "ReadFile",
                                     .request = &sandplane__v1__read_file_request__descriptor,
                                     .on_message = read_message,
                                     .on_half_close = read_half_close,
                                     .on_drained = pump,
                                     .on_end = read_end};

/* ---- WriteFile ---- */

static int write_step(Call *call, const Sandplane__V1__WriteFileRequest *q, Error *err) {
  FileWrite *w = call_data(call);
  if (q->request_case == SANDPLANE__V1__WRITE_FILE_REQUEST__REQUEST_DATA) {
    if (!w)
      return error_field(err, "start", "must be the first message");
    return file_write_data(w, q->data.data, q->data.len, err);
  }
  if (q->request_case != SANDPLANE__V1__WRITE_FILE_REQUEST__REQUEST_START)
    return error_field(err, "request", "is empty");
  if (w)
    return error_field(err, "start", "comes twice");
  if (!*q->start->path)
    return error_field(err, "start.path", "is empty");
  if (q->start->mode & ~07777u)
    return error_field(err, "start.mode", "has more than permission bits");
  w = xcalloc(1, sizeof *w);
  if (file_write_begin(w, call_runtime(call), q->start->path, q->start->mode, err)) {
    free(w);
    return -1;
  }
  call_set_data(call, w);
  return 0;
}

static void write_message(Call *call, const uint8_t *data, size_t len) {
  Sandplane__V1__WriteFileRequest *q = sandplane__v1__write_file_request__unpack(NULL, len, data);
  if (!q)
    return fail_no_message(call, "WriteFileRequest");
  Error err;
  int rc = write_step(call, q, &err);
  sandplane__v1__write_file_request__free_unpacked(q, NULL);
  if (rc)
    call_finish(call, &err);
}

static void write_half_close(Call *call) {
  FileWrite *w = call_data(call);
  Error err;
  struct stat st;
  if (!w)
    return fail_missing(call);
  if (file_write_commit(w, &st, &err))
    return call_finish(call, &err);
  FileInfo info;
  file_info_init(&info, w->path, &st);
  Sandplane__V1__WriteFileResponse r = SANDPLANE__V1__WRITE_FILE_RESPONSE__INIT;
  r.info = &info.message;
  call_send_message(call, &r.base);
  call_finish(call, NULL);
}

static void write_end(Call *call) {
  FileWrite *w = call_data(call);
  if (!w)
    return;
  file_write_end(w);
  free(w);
}

const CallMethod METHOD_WRITE_FILE = {.name = "WriteFile",
                                      .request = &sandplane__v1__write_file_request__descriptor,
                                      .on_message = write_message,
                                      .on_half_close = write_half_close,
                                      .on_end = write_end};
