/* POST /execute: a line, split but not interpreted, run to its end; everything that goes wrong is told in the
 * answer's stderr, as its clients expect. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "runtime/http_routes.h"
#include "runtime/shlex.h"

#define BODY_MAX ((size_t)1 << 20)
/* Of a command in an error message. */
#define ARGV_TEXT_MAX 1000
/* JSON writes a control byte in six, and both streams must fit into the connection's buffer. The contract sets no
 * limit; ours keeps a flood of output from filling the sandbox's memory. */
#define OUTPUT_MAX ((size_t)4 << 20)

typedef struct Execute {
  HttpConn *conn;
  Process *process;
  Arena *arena;
  Buf body, out, err;
  bool overflow;
  char **argv;
} Execute;

static void execute_start(HttpConn *c, const HttpHead *head, const char *path) {
  Execute *x = calloc(1, sizeof *x);
  if (!x)
    abort();
  *x = (Execute){.conn = c,
                 .arena = arena_new(),
                 .body = BUF_INIT(BODY_MAX),
                 .out = BUF_INIT(OUTPUT_MAX),
                 .err = BUF_INIT(OUTPUT_MAX)};
  http_conn_set_data(c, x);
}

static void execute_body(HttpConn *c, const uint8_t *data, size_t len) {
  Execute *x = http_conn_data(c);
  if (buf_append(&x->body, data, len))
    http_conn_respond_json(c, 413, "{\"detail\":\"Request body is too large\"}");
}

static void answer(Execute *x, const char *out, const char *err, int code) {
  /* an error's message is cut at a length, perhaps within a character */
  json_t *text_err = json_string(err);
  json_t *o = json_pack("{s:s,s:o,s:i}", "stdout", out, "stderr",
                        text_err ? text_err : json_string("Failed to execute command"), "exit_code", code);
  CLEANUP(str_freep) char *text = json_dumps(o, JSON_COMPACT);
  json_decref(o);
  http_conn_respond_json(x->conn, 200, text);
}

static void answer_failure(Execute *x, const char *why) {
  answer(x, "", arena_printf(x->arena, "Failed to execute command: %s", why), 1);
}

/* Universal newlines: "\r\n" and "\r" become "\n". */
static void normalize(Buf *b) {
  size_t to = 0;
  for (size_t i = 0; i < b->len; i++) {
    if (b->data[i] == '\r' && i + 1 < b->len && b->data[i + 1] == '\n')
      continue;
    b->data[to++] = b->data[i] == '\r' ? '\n' : b->data[i];
  }
  b->len = to;
  if (b->data)
    b->data[to] = 0;
}

static void on_output(void *arg, int stream, const uint8_t *data, size_t len) {
  Execute *x = arg;
  if (buf_append(stream == PROCESS_STDOUT ? &x->out : &x->err, data, len))
    x->overflow = true;
}

/* How Python prints a list of strings, near enough for a message; cut where a reader stops. */
static const char *argv_text(Arena *arena, char *const *argv) {
  Buf text = BUF_INIT(ARGV_TEXT_MAX);
  bool cut = buf_append_str(&text, "[") != 0;
  for (; *argv && !cut; argv++)
    cut = buf_printf(&text, "'%s'%s", *argv, argv[1] ? ", " : "") != 0;
  const char *copy = arena_printf(arena, "%s%s]", buf_str(&text), cut ? "..." : "");
  buf_deinit(&text);
  return copy;
}

static void on_exit_(void *arg, const ProcessExit *e) {
  Execute *x = arg;
  x->process = NULL;
  if (e->timed_out) {
    int64_t s = http_conn_runtime(x->conn)->config->exec_timeout_ms / 1000;
    return answer_failure(x, arena_printf(x->arena, "Command '%s' timed out after %lld seconds",
                                          argv_text(x->arena, x->argv), (long long)s));
  }
  if (x->overflow)
    return answer_failure(x, "the command's output is larger than 4 MiB");
  normalize(&x->out);
  normalize(&x->err);
  /* JSON strings hold text: what is none is said so, in Python's words */
  json_t *out = json_stringn(buf_str(&x->out), x->out.len), *err = json_stringn(buf_str(&x->err), x->err.len);
  if (!out || !err) {
    json_decref(out);
    json_decref(err);
    return answer_failure(x, "'utf-8' codec can't decode the command's output");
  }
  json_t *o =
      json_pack("{s:o,s:o,s:i}", "stdout", out, "stderr", err, "exit_code", e->signal ? -e->signal : e->exit_code);
  CLEANUP(str_freep) char *text = json_dumps(o, JSON_COMPACT);
  json_decref(o);
  http_conn_respond_json(x->conn, 200, text);
}

static const ProcessHandlers HANDLERS = {.on_output = on_output, .on_exit = on_exit_};

static void run(Execute *x, const char *line) {
  Runtime *rt = http_conn_runtime(x->conn);
  const char *why = NULL;
  size_t n = 0;
  Error err;
  char **argv = shlex_split(x->arena, line, &n, &why);
  if (!argv)
    return answer_failure(x, why);
  if (n == 0)
    return answer_failure(x, "list index out of range");
  x->argv = argv;
  runtime_become_user(rt);
  int cwd = path_open_dir(&rt->workspace, "", &err);
  runtime_become_self(rt);
  if (cwd < 0)
    return answer_failure(x, err.message);
  char **env = runtime_environ(rt, NULL, NULL, 0);
  ProcessSpec spec = {.argv = argv, .envp = env, .cwd_fd = cwd, .timeout_ms = rt->config->exec_timeout_ms};
  x->process = process_start(rt->processes, &spec, &HANDLERS, x, &err);
  close(cwd);
  runtime_environ_free(env);
  if (x->process)
    return process_close_stdin(x->process);
  if (err.kind == ERROR_NOT_FOUND)
    why = arena_printf(x->arena, "[Errno 2] No such file or directory: '%s'", argv[0]);
  else if (err.kind == ERROR_PERMISSION_DENIED)
    why = arena_printf(x->arena, "[Errno 13] Permission denied: '%s'", argv[0]);
  else
    why = arena_strdup(x->arena, err.message);
  answer_failure(x, why);
}

static void unprocessable(HttpConn *c, const char *type, const char *loc, const char *msg) {
  CLEANUP(str_freep)
  char *text =
      str_printf("{\"detail\":[{\"type\":\"%s\",\"loc\":[\"body\"%s],\"msg\":\"%s\",\"input\":null}]}", type, loc, msg);
  http_conn_respond_json(c, 422, text);
}

static void execute_complete(HttpConn *c) {
  Execute *x = http_conn_data(c);
  json_t *body = json_loadb(buf_str(&x->body), x->body.len, 0, NULL);
  const json_t *command = json_object_get(body, "command");
  if (!body)
    unprocessable(c, "json_invalid", ",0", "JSON decode error");
  else if (!command)
    unprocessable(c, "missing", ",\"command\"", "Field required");
  else if (!json_is_string(command))
    unprocessable(c, "string_type", ",\"command\"", "Input should be a valid string");
  else
    run(x, arena_strdup(x->arena, json_string_value(command)));
  json_decref(body);
}

static void execute_end(HttpConn *c) {
  Execute *x = http_conn_data(c);
  if (x->process)
    process_abandon(x->process);
  arena_free(x->arena);
  buf_deinit(&x->body);
  buf_deinit(&x->out);
  buf_deinit(&x->err);
  free(x);
}

const HttpHandler HTTP_EXECUTE = {
    .on_start = execute_start, .on_body = execute_body, .on_complete = execute_complete, .on_end = execute_end};
