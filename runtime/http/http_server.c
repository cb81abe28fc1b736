/* The routes of the Python runtime, with the answers that its clients look at (compact JSON, FastAPI's words). */
#include "runtime/http/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/http/http_conn.h"
#include "runtime/http/http_routes.h"
#include "runtime/http/json_text.h"

void http_respond_message(HttpConn *c, int status, const char *message) {
  CLEANUP(str_freep) char *quoted = json_text_quote(message);
  CLEANUP(str_freep) char *text = str_printf("{\"message\":%s}", quoted);
  http_conn_respond_json(c, status, text);
}

void http_respond_path_error(HttpConn *c, const Error *err, int status, const char *message) {
  if (path_is_outside(err))
    http_respond_message(c, 403, "Access denied");
  else if (err->kind == ERROR_PERMISSION_DENIED)
    http_respond_message(c, 403, err->message);
  else
    http_respond_message(c, status, message);
}

static void root_complete(HttpConn *c) {
  http_conn_respond_json(c, 200, "{\"status\":\"ok\",\"message\":\"Sandbox Runtime is active.\"}");
}
static const HttpHandler ROOT = {.on_complete = root_complete};

char *http_path_behind(const char *path, const char *route) {
  const char *rest = path + strlen(route);
  char *out = str_dup(rest);
  if (!http_unquote(rest, out))
    memcpy(out, rest, strlen(rest) + 1);
  return out;
}

/* ---- GET /exists/ ---- */

static void path_start(HttpConn *c, const HttpHead *head, const char *path) {
  http_conn_set_data(c, http_path_behind(path, "/exists/"));
}

static void path_end(HttpConn *c) {
  free(http_conn_data(c));
}

static void exists_complete(HttpConn *c) {
  const char *path = http_conn_data(c);
  Runtime *rt = http_conn_runtime(c);
  Error err;
  PathHit hit;
  runtime_become_user(rt);
  int rc = path_resolve(&rt->workspace, path, PATH_FOLLOW, &hit, &err);
  runtime_become_self(rt);
  if (rc && err.kind == ERROR_PERMISSION_DENIED)
    return http_respond_path_error(c, &err, 403, err.message);
  if (rc == 0)
    close(hit.dir_fd);
  CLEANUP(str_freep) char *quoted = json_text_quote(path);
  CLEANUP(str_freep)
  char *text = str_printf("{\"path\":%s,\"exists\":%s}", quoted, rc == 0 && hit.exists ? "true" : "false");
  http_conn_respond_json(c, 200, text);
}
static const HttpHandler EXISTS = {.on_start = path_start, .on_complete = exists_complete, .on_end = path_end};

/* ---- GET /download/ ---- */

typedef struct Download {
  char *path;
  int fd; /* -1 until it is sent */
  int64_t left;
} Download;

static void download_start(HttpConn *c, const HttpHead *head, const char *path) {
  Download *d = new0(Download);
  *d = (Download){.path = http_path_behind(path, "/download/"), .fd = -1};
  http_conn_set_data(c, d);
}

static void download_end(HttpConn *c) {
  Download *d = http_conn_data(c);
  if (d->fd >= 0)
    close(d->fd);
  free(d->path);
  free(d);
}

static void download_pump(HttpConn *c) {
  Download *d = http_conn_data(c);
  static uint8_t chunk[64 << 10]; /* one thread, and the connection copies */
  while (d->left > 0 && http_conn_pending(c) < STREAM_HIGH) {
    ssize_t n = read(d->fd, chunk, d->left < (int64_t)sizeof chunk ? (size_t)d->left : sizeof chunk);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return http_conn_abort(c); /* shorter than it was: the length is promised already */
    d->left -= n;
    http_conn_data_out(c, chunk, (size_t)n);
  }
  if (d->left == 0)
    http_conn_finish(c);
}

static int open_download(Runtime *rt, const char *path, struct stat *st, Error *err) {
  PathHit hit;
  runtime_become_user(rt);
  int fd = -1;
  if (path_resolve(&rt->workspace, path, PATH_FOLLOW, &hit, err) == 0) {
    fd = openat(hit.dir_fd, hit.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
      path_errno(err, errno, path);
    close(hit.dir_fd);
  }
  runtime_become_self(rt);
  if (fd >= 0 && (fstat(fd, st) || !S_ISREG(st->st_mode))) {
    close(fd);
    return error_set(err, ERROR_NOT_FOUND, "not a regular file");
  }
  return fd;
}

static void disposition(Buf *out, const char *path) {
  bool plain = true;
  for (const char *p = path; *p; p++)
    plain = plain && *p > 0x20 && *p < 0x7f && *p != '"' && *p != '\\' && *p != '%';
  int bad = buf_append_str(out, plain ? "content-disposition: attachment; filename=\""
                                      : "content-disposition: attachment; filename*=utf-8''");
  for (const char *p = path; *p; p++) {
    bool safe = plain || (*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z') ||
                strchr("-_.~/", *p);
    bad |= safe ? buf_append(out, p, 1) : buf_printf(out, "%%%02X", (unsigned char)*p);
  }
  if (bad | buf_append_str(out, plain ? "\"\r\n" : "\r\n"))
    abort();
}

static void download_complete(HttpConn *c) {
  Download *d = http_conn_data(c);
  Error err;
  struct stat st;
  d->fd = open_download(http_conn_runtime(c), d->path, &st, &err);
  if (d->fd < 0)
    return http_respond_path_error(c, &err, 404, "File not found");
  d->left = st.st_size;
  Buf headers = BUF_INIT(0);
  char modified[64];
  struct tm tm;
  strftime(modified, sizeof modified, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&st.st_mtim.tv_sec, &tm));
  disposition(&headers, d->path);
  if (buf_printf(&headers, "last-modified: %s\r\netag: \"%llx-%llx\"\r\n", modified, (long long)st.st_mtim.tv_sec,
                 (long long)st.st_size))
    abort();
  http_conn_begin(c, 200, "application/octet-stream", buf_str(&headers), st.st_size);
  buf_deinit(&headers);
  download_pump(c);
}

static const HttpHandler DOWNLOAD = {
    .on_start = download_start, .on_complete = download_complete, .on_drained = download_pump, .on_end = download_end};

/* ---- routes ---- */

static const struct {
  const char *path;
  bool prefix;
  const char *method;
  const HttpHandler *handler;
} ROUTES[] = {
    {"/", false, "GET", &ROOT},
    {"/execute", false, "POST", &HTTP_EXECUTE},
    {"/upload", false, "POST", &HTTP_UPLOAD},
    {"/download/", true, "GET", &DOWNLOAD},
    {"/list/", true, "GET", &HTTP_LIST},
    {"/exists/", true, "GET", &EXISTS},
};

static const HttpHandler *route(HttpConn *c, const HttpHead *head, const char *path) {
  for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
    if (ROUTES[i].prefix ? !str_starts_with(path, ROUTES[i].path) : strcmp(path, ROUTES[i].path) != 0)
      continue;
    if (strcmp(head->method, ROUTES[i].method) == 0)
      return ROUTES[i].handler;
    CLEANUP(str_freep) char *allow = str_printf("allow: %s\r\n", ROUTES[i].method);
    static const char TEXT[] = "{\"detail\":\"Method Not Allowed\"}";
    http_conn_respond(c, 405, "application/json", allow, TEXT, sizeof TEXT - 1);
    return NULL;
  }
  http_conn_respond_json(c, 404, "{\"detail\":\"Not Found\"}");
  return NULL;
}

void http_server_accept(Runtime *rt, int fd) {
  http_conn_accept(rt, fd, route);
}
