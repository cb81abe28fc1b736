/* GET /list/: a folder as one JSON array, sent as it is read, however large.
 *
 * What is there is listed: a link that leads nowhere as the link, and a name that is no UTF-8 with U+FFFD in the places
 * of what is none. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/http/http_routes.h"
#include "runtime/http/json_text.h"

#define PIECE (16 << 10)

typedef struct List {
  char *path;
  DIR *dir;
  bool some;
} List;

static void list_start(HttpConn *c, const HttpHead *head, const char *path) {
  List *x = new0(List);
  x->path = http_path_behind(path, "/list/");
  http_conn_set_data(c, x);
}

static void list_end(HttpConn *c) {
  List *x = http_conn_data(c);
  if (x->dir)
    closedir(x->dir);
  free(x->path);
  free(x);
}

/* False: it is gone since, or in a folder that may be read and not be searched. */
static bool stat_entry(List *x, const char *name, struct stat *st) {
  return fstatat(dirfd(x->dir), name, st, 0) == 0 || fstatat(dirfd(x->dir), name, st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void add_entry(Buf *to, List *x, const char *name, const struct stat *st) {
  CLEANUP(str_freep) char *quoted = json_text_quote(name);
  if (buf_printf(to, "%s{\"name\":%s,\"size\":%lld,\"type\":\"%s\",\"mod_time\":%.17g}", x->some ? "," : "[", quoted,
                 (long long)st->st_size, S_ISDIR(st->st_mode) ? "directory" : "file",
                 (double)st->st_mtim.tv_sec + (double)st->st_mtim.tv_nsec / 1e9))
    abort(); /* a piece is short */
  x->some = true;
}

/* Entries of about a piece's length; behind the last one the end of the list, and false. */
static bool add_piece(Buf *to, HttpConn *c, List *x) {
  struct dirent *e = NULL;
  struct stat st;
  runtime_become_user(http_conn_runtime(c));
  while (to->len < PIECE && (e = readdir(x->dir)))
    if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 && stat_entry(x, e->d_name, &st))
      add_entry(to, x, e->d_name, &st);
  runtime_become_self(http_conn_runtime(c));
  if (!e && buf_append_str(to, x->some ? "]" : "[]"))
    abort(); /* a piece is short */
  return e != NULL;
}

static void list_pump(HttpConn *c) {
  List *x = http_conn_data(c);
  bool more = true;
  while (more && http_conn_pending(c) < STREAM_HIGH) {
    Buf piece = BUF_INIT(0);
    more = add_piece(&piece, c, x);
    http_conn_data_out(c, piece.data, piece.len);
    buf_deinit(&piece);
  }
  if (!more)
    http_conn_finish(c);
}

/* What fits into one piece goes with its length. */
static void send_list(HttpConn *c, List *x) {
  Buf piece = BUF_INIT(0);
  if (add_piece(&piece, c, x)) {
    http_conn_begin_chunked(c, 200, "application/json");
    http_conn_data_out(c, piece.data, piece.len);
    list_pump(c);
  } else {
    http_conn_respond(c, 200, "application/json", "", piece.data, piece.len);
  }
  buf_deinit(&piece);
}

/* Whether what is in it can be asked for. */
static int check_search(int fd) {
  struct stat st;
  return fstatat(fd, ".", &st, 0);
}

static void list_complete(HttpConn *c) {
  List *x = http_conn_data(c);
  Runtime *rt = http_conn_runtime(c);
  Error err;
  runtime_become_user(rt);
  int fd = path_open_dir(&rt->workspace, x->path, &err), why = 0;
  if (fd >= 0 && (check_search(fd) || !(x->dir = fdopendir(fd)))) {
    why = errno;
    close(fd);
  }
  runtime_become_self(rt);
  if (fd >= 0 && !x->dir) {
    CLEANUP(str_freep) char *text = str_printf("List files failed: [Errno %d] %s", why, strerror(why));
    return http_respond_message(c, 500, text);
  }
  if (fd < 0)
    return http_respond_path_error(c, &err, 404, "Path is not a directory");
  send_list(c, x);
}

const HttpHandler HTTP_LIST = {
    .on_start = list_start, .on_complete = list_complete, .on_drained = list_pump, .on_end = list_end};
