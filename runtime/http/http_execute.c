/* POST /execute: a line, split but not interpreted, run to its end; everything that goes wrong is told in the answer's
 * stderr, as its clients expect.
 *
 * The answer is one JSON object. While the output is small it is kept, and the answer goes out whole. A stream of more
 * is handed on while the command runs, as far as the client takes it; the other is kept meanwhile and follows.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/http/execute_body.h"
#include "runtime/http/http_routes.h"
#include "runtime/http/json_text.h"
#include "runtime/http/shlex.h"

/* The reference has no limit. Ours is what one request may take of the sandbox's memory: a command line that a kernel
 * takes is of 6 MiB at most. */
#define BODY_MAX ((size_t)64 << 20)
/* From this much on, a stream is handed on as it comes. */
#define STREAM_FROM ((size_t)1 << 20)
/* Of a stream that waits until the other, which is large itself, has been sent; as JSON. */
#define KEPT_MAX ((size_t)64 << 20)
/* Of a command in an error message. */
#define ARGV_TEXT_MAX 1000
#define PIECE ((size_t)64 << 10)

enum { OUT, ERR, NONE };

typedef struct Execute {
  HttpConn *conn;
  Process *process;
  Arena *arena;
  Buf body;
  char **argv;
  int64_t timeout_ms;
  JsonText text[2];
  Buf json[2]; /* of the streams: what waits */
  bool cut[2];
  int flowing; /* the stream that is being handed on */
  Buf tail;    /* what follows it */
  size_t tail_at;
} Execute;

static const char *const NAMES[] = {"{\"stdout\":\"", "{\"stderr\":\""};

static void execute_start(HttpConn *c, const HttpHead *head, const char *path) {
  Execute *x = new0(Execute);
  *x = (Execute){.conn = c,
                 .arena = arena_new(),
                 .body = BUF_INIT(BODY_MAX),
                 .json = {BUF_INIT(KEPT_MAX), BUF_INIT(KEPT_MAX)},
                 .flowing = NONE,
                 .tail = BUF_INIT(2 * KEPT_MAX)};
  http_conn_set_data(c, x);
}

static void execute_body(HttpConn *c, const uint8_t *data, size_t len) {
  Execute *x = http_conn_data(c);
  if (buf_append(&x->body, data, len))
    http_conn_respond_json(c, 413, "{\"detail\":\"Request body is too large\"}");
}

/* ---- the answer ---- */

static void add(Buf *to, const char *s) {
  if (buf_append_str(to, s))
    abort(); /* it has room for both streams, and for what is put around them */
}

static void add_stream(Execute *x, int i) {
  if (buf_append(&x->tail, x->json[i].data, x->json[i].len))
    abort(); /* as above */
  buf_deinit(&x->json[i]);
}

static void add_text(Buf *to, const char *s) {
  JsonText t = {0};
  if (json_text_feed(&t, (const uint8_t *)s, strlen(s), to) || json_text_end(&t, to))
    abort(); /* as above */
}

/* stderr: ours, and what the command printed; of a stream that flows already some is before it. */
static void add_stderr(Execute *x, const char *ours) {
  bool before = x->flowing == ERR, both = *ours && (before || x->json[ERR].len);
  if (!before)
    add_text(&x->tail, ours);
  if (both && !before)
    add(&x->tail, "\\n");
  add_stream(x, ERR);
  if (both && before)
    add(&x->tail, "\\n");
  if (before)
    add_text(&x->tail, ours);
}

static void pump_tail(HttpConn *c) {
  Execute *x = http_conn_data(c);
  while (x->tail_at < x->tail.len && http_conn_pending(c) < STREAM_HIGH) {
    size_t left = x->tail.len - x->tail_at, n = left < PIECE ? left : PIECE;
    http_conn_data_out(c, x->tail.data + x->tail_at, n);
    x->tail_at += n;
  }
  if (x->tail_at == x->tail.len)
    http_conn_finish(c);
}

/* ours: a text for stderr, or "". */
static void answer(Execute *x, const char *ours, int code, bool timed_out) {
  if (x->flowing == ERR) {
    add_stderr(x, ours);
    add(&x->tail, "\",\"stdout\":\"");
    add_stream(x, OUT);
  } else {
    if (x->flowing == NONE)
      add(&x->tail, NAMES[OUT]);
    add_stream(x, OUT);
    add(&x->tail, "\",\"stderr\":\"");
    add_stderr(x, ours);
  }
  char end[64];
  snprintf(end, sizeof end, "\",\"exit_code\":%d%s}", code, timed_out ? ",\"timed_out\":true" : "");
  add(&x->tail, end);
  if (x->flowing == NONE)
    http_conn_begin(x->conn, 200, "application/json", "", (int64_t)x->tail.len);
  pump_tail(x->conn);
}

static void answer_failure(Execute *x, const char *why, bool timed_out) {
  answer(x, arena_printf(x->arena, "Failed to execute command: %s", why), 1, timed_out);
}

/* ---- the command ---- */

/* Hands on what there is of the stream that flows. */
static void flow(Execute *x) {
  Buf *b = &x->json[x->flowing];
  http_conn_data_out(x->conn, b->data, b->len);
  b->len = 0;
  if (http_conn_pending(x->conn) >= STREAM_HIGH)
    process_pause_output(x->process, true);
}

static void on_output(void *arg, int stream, const uint8_t *data, size_t len) {
  Execute *x = arg;
  int i = stream == PROCESS_STDOUT ? OUT : ERR;
  x->cut[i] = x->cut[i] || json_text_feed(&x->text[i], data, len, &x->json[i]);
  if (x->flowing == NONE && x->json[i].len > STREAM_FROM) {
    x->flowing = i;
    http_conn_begin_chunked(x->conn, 200, "application/json");
    http_conn_data_out(x->conn, NAMES[i], strlen(NAMES[i]));
  }
  if (x->flowing == i)
    flow(x);
}

static void execute_drained(HttpConn *c) {
  Execute *x = http_conn_data(c);
  if (x->process)
    process_pause_output(x->process, false);
  else if (x->tail.len)
    pump_tail(c);
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

static const char *time_is_up(Execute *x) {
  return arena_printf(x->arena, "Command '%s' timed out after %.15g seconds", argv_text(x->arena, x->argv),
                      (double)x->timeout_ms / 1000);
}

static void on_exit_(void *arg, const ProcessExit *e) {
  Execute *x = arg;
  x->process = NULL;
  for (int i = OUT; i <= ERR; i++)
    x->cut[i] = x->cut[i] || json_text_end(&x->text[i], &x->json[i]);
  if (e->timed_out)
    return answer_failure(x, time_is_up(x), true);
  for (int i = OUT; i <= ERR; i++)
    if (*x->text[i].error)
      return answer_failure(x, x->text[i].error, false);
  const char *ours = x->cut[OUT]   ? "The rest of stdout was dropped: stdout and stderr are both large."
                     : x->cut[ERR] ? "The rest of stderr was dropped: stdout and stderr are both large."
                                   : "";
  answer(x, ours, e->signal ? -e->signal : e->exit_code, false);
}

static const ProcessHandlers HANDLERS = {.on_output = on_output, .on_exit = on_exit_};

static const char *start_failure(Execute *x, const Error *err) {
  if (err->kind == ERROR_NOT_FOUND)
    return arena_printf(x->arena, "[Errno 2] No such file or directory: '%s'", x->argv[0]);
  if (err->kind == ERROR_PERMISSION_DENIED)
    return arena_printf(x->arena, "[Errno 13] Permission denied: '%s'", x->argv[0]);
  if (err->kind == ERROR_INVALID_ARGUMENT) /* the one that execve has */
    return arena_printf(x->arena, "[Errno 7] Argument list too long: '%s'", x->argv[0]);
  return arena_strdup(x->arena, err->message);
}

static void run(Execute *x, const ExecuteBody *body) {
  Runtime *rt = http_conn_runtime(x->conn);
  const char *why = NULL;
  size_t n = 0;
  Error err;
  if (memchr(body->command, 0, body->command_len))
    return answer_failure(x, "embedded null byte", false);
  x->argv = shlex_split(x->arena, body->command, &n, &why);
  if (!x->argv)
    return answer_failure(x, why, false);
  if (n == 0)
    return answer_failure(x, "list index out of range", false);
  x->timeout_ms = body->timeout_ms >= 0 ? body->timeout_ms : rt->config->exec_timeout_ms;
  runtime_become_user(rt);
  int cwd = path_open_dir(&rt->workspace, "", &err);
  runtime_become_self(rt);
  if (cwd < 0)
    return answer_failure(x, err.message, false);
  char **env = runtime_environ(rt, NULL, NULL, 0);
  ProcessSpec spec = {.argv = x->argv, .envp = env, .cwd_fd = cwd, .no_stdin = true, .timeout_ms = x->timeout_ms};
  x->process = process_start(rt->processes, &spec, &HANDLERS, x, &err);
  close(cwd);
  runtime_environ_free(env);
  if (!x->process)
    answer_failure(x, start_failure(x, &err), false);
}

static void execute_complete(HttpConn *c) {
  Execute *x = http_conn_data(c);
  ExecuteBody body;
  ExecuteFault f;
  int rc = execute_body_read(x->arena, x->body.data, x->body.len, &body, &f);
  buf_deinit(&x->body);
  if (rc == 0)
    return run(x, &body);
  if (f.status != 422)
    return http_conn_respond_json(c, f.status, "{\"detail\":\"There was an error parsing the body\"}");
  http_conn_respond_json(
      c, f.status,
      arena_printf(x->arena, "{\"detail\":[{\"type\":\"%s\",\"loc\":[\"body\"%s],\"msg\":\"%s\",\"input\":null%s}]}",
                   f.type, f.loc, f.msg, f.ctx));
}

static void execute_end(HttpConn *c) {
  Execute *x = http_conn_data(c);
  if (x->process)
    process_abandon(x->process);
  arena_free(x->arena);
  buf_deinit(&x->body);
  buf_deinit(&x->json[OUT]);
  buf_deinit(&x->json[ERR]);
  buf_deinit(&x->tail);
  free(x);
}

const HttpHandler HTTP_EXECUTE = {.on_start = execute_start,
                                  .on_body = execute_body,
                                  .on_complete = execute_complete,
                                  .on_drained = execute_drained,
                                  .on_end = execute_end};
