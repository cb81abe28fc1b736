/* POST /upload: the part "file" of a form, streamed into the workspace; it appears whole or not at all. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/file/file_write.h"
#include "runtime/http/http_routes.h"
#include "runtime/http/multipart.h"

typedef struct Upload {
  HttpConn *conn;
  Multipart form;
  bool form_ok;
  FileWrite file;
  char *filename;
  bool failed;
  Error err;
} Upload;

static int on_file(void *arg, const char *filename, Error *err) {
  Upload *u = arg;
  file_write_end(&u->file);
  free(u->filename);
  u->filename = str_dup(filename);
  return file_write_begin(&u->file, http_conn_runtime(u->conn), filename, 0, err);
}

static int on_data(void *arg, const uint8_t *data, size_t len, Error *err) {
  return file_write_data(&((Upload *)arg)->file, data, len, err);
}

static void upload_start(HttpConn *c, const HttpHead *head, const char *path) {
  Upload *u = new0(Upload);
  u->conn = c;
  u->file = (FileWrite){.fd = -1, .at = {.dir_fd = -1}};
  u->form_ok = multipart_init(&u->form, http_head_get(head, "Content-Type"), &u->err) == 0;
  u->form.on_file = on_file;
  u->form.on_data = on_data;
  u->form.arg = u;
  http_conn_set_data(c, u);
}

static void upload_body(HttpConn *c, const uint8_t *data, size_t len) {
  Upload *u = http_conn_data(c);
  if (u->form_ok && !u->failed && multipart_feed(&u->form, data, len, &u->err))
    u->failed = true;
}

#define DETAIL(type, msg) \
  "{\"detail\":[{\"type\":\"" type "\",\"loc\":[\"body\",\"file\"],\"msg\":\"" msg "\",\"input\":null}]}"
static const char MISSING[] = DETAIL("missing", "Field required");
static const char NAMELESS[] = DETAIL("value_error", "Value error, the part file has no filename");

static void upload_complete(HttpConn *c) {
  Upload *u = http_conn_data(c);
  if (u->form_ok && !u->failed && u->form.found) {
    if (!multipart_complete(&u->form))
      u->failed = error_set(&u->err, ERROR_INVALID_ARGUMENT, "the form has no end") != 0;
    else if (file_write_commit(&u->file, NULL, &u->err))
      u->failed = true;
  }
  if (u->failed && path_is_outside(&u->err))
    return http_respond_message(c, 403, "Access denied");
  if (u->failed) {
    CLEANUP(str_freep) char *text = str_printf("File upload failed: %s", u->err.message);
    return http_respond_message(c, u->err.kind == ERROR_PERMISSION_DENIED ? 403 : 500, text);
  }
  if (!u->form.found)
    return http_conn_respond_json(c, 422, u->form.nameless ? NAMELESS : MISSING);
  CLEANUP(str_freep) char *text = str_printf("File '%s' uploaded successfully.", u->filename);
  http_respond_message(c, 200, text);
}

static void upload_end(HttpConn *c) {
  Upload *u = http_conn_data(c);
  file_write_end(&u->file);
  multipart_deinit(&u->form);
  free(u->filename);
  free(u);
}

const HttpHandler HTTP_UPLOAD = {
    .on_start = upload_start, .on_body = upload_body, .on_complete = upload_complete, .on_end = upload_end};
