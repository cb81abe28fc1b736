/* cp, ls, rm: files of a sandbox's workspace. Files of any size pass through in pieces. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/call.h"
#include "cli/sandbox/upload.h"
#include "cli/text/json_pb.h"
#include "cli/text/table.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

typedef Sandplane__V1__WriteFileRequest WriteRequest;

/* NAME:PATH; a name holds no slash, so "./a:b" is a local file. */
static bool is_remote(const char *text) {
  const char *colon = strchr(text, ':'), *slash = strchr(text, '/');
  if (str_starts_with(text, "namespaces/"))
    return colon != NULL;
  return colon && colon > text && (!slash || slash > colon);
}

static void split(Cli *cli, const char *text, char **ret_name, char **ret_path) {
  const char *colon = strchr(text, ':');
  *ret_name = cli_name(cli, "sandboxes", arena_strndup(cli->arena, text, (size_t)(colon - text)));
  *ret_path = arena_strdup(cli->arena, colon + 1);
}

static int local_error(Error *err, const char *path) {
  return error_set(err, ERROR_UNKNOWN, "%s: %s", path, strerror(errno));
}

static void send_data(RpcClientCall *call, const uint8_t *data, size_t len) {
  WriteRequest request = SANDPLANE__V1__WRITE_FILE_REQUEST__INIT;
  request.request_case = SANDPLANE__V1__WRITE_FILE_REQUEST__REQUEST_DATA;
  request.data = (ProtobufCBinaryData){.data = (uint8_t *)data, .len = len};
  call_write(call, &request);
}

/* The mode goes along for a file that is new; one that is there keeps its own, as with cp. */
static bool is_there(Cli *cli, const char *name, const char *path) {
  Sandplane__V1__StatRequest request = SANDPLANE__V1__STAT_REQUEST__INIT;
  request.name = (char *)name;
  request.path = (char *)path;
  Error err;
  return call_unary(cli, SANDBOX_SERVICE "Stat", &request, &sandplane__v1__file_info__descriptor, &err) != NULL;
}

static int put_file(Cli *cli, const char *from, const char *to, Error *err) {
  bool is_stdin = !strcmp(from, "-");
  struct stat st;
  WriteRequest request = SANDPLANE__V1__WRITE_FILE_REQUEST__INIT;
  Sandplane__V1__WriteFileRequest__Start start = SANDPLANE__V1__WRITE_FILE_REQUEST__START__INIT;
  split(cli, to, &start.name, &start.path);
  size_t n = strlen(start.path);
  if (!is_stdin && (n == 0 || start.path[n - 1] == '/'))
    start.path = arena_printf(cli->arena, "%s%s", start.path, cli_short(from));
  int fd = is_stdin ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) != 0)
    return local_error(err, from);
  int rc = -1;
  if (S_ISDIR(st.st_mode)) {
    error_set(err, ERROR_INVALID_ARGUMENT,
              "%s is a directory; tar c -C %s . | sandctl exec -i NAME -- tar x copies one", from, from);
  } else {
    if (S_ISREG(st.st_mode) && !is_there(cli, start.name, start.path))
      start.mode = st.st_mode & 0777;
    request.request_case = SANDPLANE__V1__WRITE_FILE_REQUEST__REQUEST_START;
    request.start = &start;
    const Upload upload = {.path = SANDBOX_SERVICE "WriteFile",
                           .start = &request,
                           .send = send_data,
                           .answer = &sandplane__v1__write_file_response__descriptor,
                           .fd = fd,
                           .progress = from};
    rc = upload_run(cli, &upload, err) ? 0 : -1;
  }
  if (!is_stdin)
    close(fd);
  return rc;
}

typedef struct Download {
  int fd;
  bool is_new; /* ours, to be renamed */
  mode_t umask;
  const char *path;
  Error *err;
} Download;

static int on_data(void *arg, const void *message) {
  Download *d = arg;
  const Sandplane__V1__ReadFileResponse *part = message;
  if (part->info && d->is_new)
    fchmod(d->fd, part->info->mode & 0777 & ~d->umask);
  for (size_t done = 0; done < part->data.len;) {
    ssize_t n = write(d->fd, part->data.data + done, part->data.len - done);
    if (n < 0 && errno != EINTR)
      return local_error(d->err, d->path);
    if (n > 0)
      done += (size_t)n;
  }
  return 0;
}

/* Opens where the download goes. A regular file, also one behind a symbolic link, is written beside it under
 * *ret_temp; a device or pipe (/dev/null) is written itself. */
static int open_target(Cli *cli, Download *d, char **ret_temp, Error *err) {
  struct stat st;
  bool there = stat(d->path, &st) == 0;
  if (there && !S_ISREG(st.st_mode)) {
    d->fd = open(d->path, O_WRONLY | O_CLOEXEC);
    return d->fd < 0 ? local_error(err, d->path) : 0;
  }
  char *real = there ? realpath(d->path, NULL) : NULL;
  if (real)
    d->path = arena_strdup(cli->arena, real);
  free(real);
  *ret_temp = arena_printf(cli->arena, "%s.XXXXXX", d->path);
  d->fd = mkostemp(*ret_temp, O_CLOEXEC);
  d->is_new = true;
  d->umask = umask(0);
  umask(d->umask);
  return d->fd < 0 ? local_error(err, d->path) : 0;
}

/* The local file appears whole, by rename, or not at all. */
static int get_file(Cli *cli, const char *from, const char *to, Error *err) {
  Sandplane__V1__ReadFileRequest request = SANDPLANE__V1__READ_FILE_REQUEST__INIT;
  split(cli, from, &request.name, &request.path);
  bool is_stdout = !strcmp(to, "-");
  if (!cli_short(request.path)[0])
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s names no file; ls shows what there is", from);
  struct stat st;
  if (!is_stdout && stat(to, &st) == 0 && S_ISDIR(st.st_mode))
    to = arena_printf(cli->arena, "%s/%s", to, cli_short(request.path));
  char *temp = NULL;
  Download d = {.path = to, .err = err, .fd = STDOUT_FILENO};
  if (!is_stdout && open_target(cli, &d, &temp, err) < 0)
    return -1;
  if (!cli->timeout_given)
    cli->timeout_ms = INT64_MAX;
  int rc = call_stream(cli, SANDBOX_SERVICE "ReadFile", &request, &sandplane__v1__read_file_response__descriptor,
                       on_data, &d, err);
  if (is_stdout)
    return rc;
  if (close(d.fd) != 0 && rc == 0)
    rc = local_error(err, d.path);
  if (rc == 0 && temp && rename(temp, d.path) != 0)
    rc = local_error(err, d.path);
  if (rc != 0 && temp)
    unlink(temp);
  return rc;
}

static int copy(Cli *cli, const Args *args) {
  if (args->n_names != 2)
    return cli_usage("cp needs FROM and TO");
  const char *from = args->names[0], *to = args->names[1];
  if (is_remote(from) == is_remote(to))
    return cli_usage("cp copies between NAME:PATH and a local file (- is standard input or output)");
  Error err = {0};
  return (is_remote(from) ? get_file(cli, from, to, &err) : put_file(cli, from, to, &err)) < 0 ? cli_fail(cli, &err)
                                                                                               : 0;
}

typedef struct Listing {
  Cli *cli;
  Table *table;
} Listing;

static int on_files(void *arg, const void *message) {
  Listing *l = arg;
  const Sandplane__V1__ListFilesResponse *page = message;
  for (size_t i = 0; i < page->n_files; i++) {
    const Sandplane__V1__FileInfo *f = page->files[i];
    char mode[16], size[16], age[16];
    if (l->cli->format == FORMAT_JSON)
      json_pb_print(f);
    if (l->cli->format == FORMAT_NAME) {
      table_printable(f->path);
      puts(f->path);
    }
    if (!l->table)
      continue;
    snprintf(mode, sizeof mode, "%c%04o", "?-dlo"[f->type <= 4 ? f->type : 0], f -> mode);
    table_size(f->size_bytes, size);
    table_age(f->modify_time ? clock_wall_ms() - f->modify_time->seconds * 1000 : -1, age);
    table_row(l->table, (const char *const[]){mode, size, age, f->path});
  }
  return 0;
}

static int ls(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("ls needs NAME or NAME:PATH");
  static const char *const HEADS[] = {"MODE", "SIZE", "AGE", "PATH", NULL};
  Sandplane__V1__ListFilesRequest request = SANDPLANE__V1__LIST_FILES_REQUEST__INIT;
  if (strchr(args->names[0], ':'))
    split(cli, args->names[0], &request.name, &request.path);
  else
    request.name = cli_name(cli, "sandboxes", args->names[0]);
  Listing l = {.cli = cli, .table = cli->format == FORMAT_TABLE ? table_new(HEADS) : NULL};
  Error err = {0};
  int rc = call_stream(cli, SANDBOX_SERVICE "ListFiles", &request, &sandplane__v1__list_files_response__descriptor,
                       on_files, &l, &err);
  if (rc < 0) {
    table_free(l.table);
    return cli_fail(cli, &err);
  }
  if (l.table)
    table_print(l.table);
  return 0;
}

static int rm(Cli *cli, const Args *args) {
  if (!args->n_names)
    return cli_usage("rm needs NAME:PATH");
  for (size_t i = 0; i < args->n_names; i++) {
    if (!is_remote(args->names[i]))
      return cli_usage("rm: \"%s\" is not NAME:PATH", args->names[i]);
    Sandplane__V1__RemoveFileRequest request = SANDPLANE__V1__REMOVE_FILE_REQUEST__INIT;
    split(cli, args->names[i], &request.name, &request.path);
    request.recursive = args_has(args, "recursive");
    Error err = {0};
    if (!call_unary(cli, SANDBOX_SERVICE "RemoveFile", &request, &google__protobuf__empty__descriptor, &err))
      return cli_fail(cli, &err);
  }
  return 0;
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};
static const Option RM[] = {{"recursive", 'r', NULL, "a directory goes with all that is in it"}, {NULL, 0, NULL, NULL}};

const Command FILE_COMMANDS[] = {
    {"cp", "FROM TO", "Copies a file; one of FROM and TO is NAME:PATH, the other a local file or -.", NONE, copy},
    {"ls", "NAME[:PATH]", "Lists files of a sandbox.", NONE, ls, "list"},
    {"rm", "[-r] NAME:PATH...", "Removes files of a sandbox.", RM, rm, "list"},
    {NULL, NULL, NULL, NULL, NULL},
};
