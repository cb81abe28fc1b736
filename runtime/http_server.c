/* The routes of the Python runtime, with the answers that its clients look at (compact JSON, FastAPI's words). */
#include "runtime/http_server.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "runtime/http_conn.h"
#include "runtime/http_routes.h"

static void respond_object(HttpConn *c, int status, json_t *o) {
  CLEANUP(str_freep) char *text = json_dumps(o, JSON_COMPACT);
  json_decref(o);
  http_conn_respond_json(c, status, text ? text : "{}");
}

void http_respond_message(HttpConn *c, int status, const char *message) {
  json_t *text = json_string(message);
  respond_object(c, status, json_pack("{s:o}", "message", text ? text : json_string("?")));
}

/* Any file error: outside is 403, the rest is the route's own word. */
static void respond_path_error(HttpConn *c, const Error *err, int status, const char *message) {
  if (err->kind == ERROR_PERMISSION_DENIED)
    http_respond_message(c, 403, "Access denied");
  else
    http_respond_message(c, status, message);
}

static void root_complete(HttpConn *c) {
  http_conn_respond_json(c, 200, "{\"status\":\"ok\",\"message\":\"Sandbox Runtime is active.\"}");
}
static const HttpHandler ROOT = {.on_complete = root_complete};

/* The part of a path behind its route, unquoted once more, as the contract has it. The caller frees. */
static char *path_behind(const char *path, const char *route) {
  const char *rest = path + strlen(route);
  char *out = str_dup(rest);
  if (!http_unquote(rest, out))
    strcpy(out, rest);
  return out;
}

/* ---- GET /exists/ and GET /list/ ---- */

static void path_start(HttpConn *c, const HttpHead *head, const char *path) {
  http_conn_set_data(c, path_behind(path, str_starts_with(path, "/list/") ? "/list/" : "/exists/"));
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
    return respond_path_error(c, &err, 403, err.message);
  if (rc == 0)
    close(hit.dir_fd);
  json_t *text = json_string(path);
  respond_object(c, 200,
                 json_pack("{s:o,s:b}", "path", text ? text : json_string(""), "exists", rc == 0 && hit.exists));
}
static const HttpHandler EXISTS = {.on_start = path_start, .on_complete = exists_complete, .on_end = path_end};

static json_t *list_entry(int dir_fd, const char *name, int *ret_errno) {
  struct stat st;
  if (fstatat(dir_fd, name, &st, 0)) {
    *ret_errno = errno;
    return NULL;
  }
  json_t *text = json_string(name);
  if (!text)
    return NULL; /* not UTF-8 */
  return json_pack("{s:o,s:I,s:s,s:f}", "name", text, "size", (json_int_t)st.st_size, "type",
                   S_ISDIR(st.st_mode) ? "directory" : "file", "mod_time",
                   (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9);
}

/* A list is one JSON text, built at once; whoever has more entries uses ListFiles, which streams. */
#define LIST_MAX 20000

static void list_complete(HttpConn *c) {
  Runtime *rt = http_conn_runtime(c);
  Error err;
  runtime_become_user(rt);
  int fd = path_open_dir(&rt->workspace, http_conn_data(c), &err);
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  json_t *list = json_array();
  int failed = dir || fd < 0 ? 0 : errno;
  for (struct dirent *e; dir && !failed && (e = readdir(dir));) {
    if (json_array_size(list) == LIST_MAX)
      failed = EOVERFLOW;
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    json_t *entry = list_entry(fd, e->d_name, &failed);
    if (entry)
      json_array_append_new(list, entry);
  }
  if (dir)
    closedir(dir);
  runtime_become_self(rt);
  if (fd >= 0 && !failed)
    return respond_object(c, 200, list);
  json_decref(list);
  if (failed) {
    CLEANUP(str_freep) char *text = str_printf("List files failed: [Errno %d] %s", failed, strerror(failed));
    return http_respond_message(c, 500, text);
  }
  respond_path_error(c, &err, 404, "Path is not a directory");
}
static const HttpHandler LIST = {.on_start = path_start, .on_complete = list_complete, .on_end = path_end};

/* ---- GET /download/ ---- */

typedef struct Download {
  char *path;
  int fd; /* -1 until it is sent */
  int64_t left;
} Download;

static void download_start(HttpConn *c, const HttpHead *head, const char *path) {
  Download *d = calloc(1, sizeof *d);
  if (!d)
    abort();
  *d = (Download){.path = path_behind(path, "/download/"), .fd = -1};
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
  while (d->left > 0 && http_conn_pending(c) <= HTTP_PENDING_HIGH) {
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
      path_errno(err, errno == EACCES ? ENOENT : errno, path);
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
    return respond_path_error(c, &err, 404, "File not found");
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
    {"/list/", true, "GET", &LIST},
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
