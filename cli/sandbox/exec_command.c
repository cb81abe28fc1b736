/* exec: a command in a sandbox as if it ran here.
 *
 * Output arrives as it is written, stdout and stderr apart; with -i standard input goes along, with -t the
 * command has a terminal and this one hands over every key and every change of its size. The exit code is
 * the command's, 128 + n for signal n, 124 when its --limit ended it.
 *
 * Signals go to the command while the stream to it is open; the third that asks it to end kills it. Closing
 * standard input closes the stream (the API has no other way), so from then on, and so without -i from the
 * start, the first such signal kills the command.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/call.h"
#include "cli/sandbox/pump.h"
#include "cli/sandbox/terminal.h"
#include "cli/text/text.h"
#include "lib/rpc/rpc_pb.h"

enum { EXIT_TIMED_OUT = 124, EXIT_SIGNAL_BASE = 128, IMPATIENT = 3 };

typedef Sandplane__V1__ExecStreamRequest Request;
typedef Sandplane__V1__ExecStreamResponse Response;

typedef struct Exec {
  Cli *cli;
  RpcClientCall *call; /* NULL when it is over */
  Pump *pump;
  bool forward_stdin, terminal;
  int n_ends; /* signals that asked for the end */
  int killed; /* the one that ended the call; 0: none */
  int code;   /* -1: not ended yet */
  Error err;
} Exec;

/* What is handed on. */
static const struct {
  int signo;
  bool ends;     /* a person or a supervisor wants the end */
  bool terminal; /* also with -t: else terminal.h's handlers put the terminal right and end sandctl */
} FORWARDED[] = {
    {SIGINT, true, true},  {SIGQUIT, true, true},  {SIGTERM, true, false},
    {SIGHUP, true, false}, {SIGUSR1, false, true}, {SIGUSR2, false, true},
};

typedef struct Forward {
  Exec *exec;
  size_t row;
  LoopSignal *signal;
} Forward;

static void send_stdin(RpcClientCall *call, const uint8_t *data, size_t len) {
  Request request = SANDPLANE__V1__EXEC_STREAM_REQUEST__INIT;
  request.request_case = SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_STDIN;
  request.stdin = (ProtobufCBinaryData){.data = (uint8_t *)data, .len = len};
  call_write(call, &request);
}

static bool stream_open(const Exec *e) {
  return e->forward_stdin ? !pump_ended(e->pump) : e->terminal;
}

static void on_signal(void *arg) {
  Forward *forward = arg;
  Exec *e = forward->exec;
  int signo = FORWARDED[forward->row].signo;
  bool ends = FORWARDED[forward->row].ends;
  if (!e->call)
    return;
  if (ends && (++e->n_ends >= IMPATIENT || !stream_open(e))) {
    e->killed = signo;
    rpc_client_cancel(e->call);
    return;
  }
  Request request = SANDPLANE__V1__EXEC_STREAM_REQUEST__INIT;
  request.request_case = SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_SIGNAL;
  request.signal = signo;
  call_write(e->call, &request);
}

/* One that sandctl was told to ignore (nohup, a script's background) stays ignored. */
static void forward_signals(Exec *e, Forward *forwards) {
  for (size_t i = 0; i < ARRAY_LEN(FORWARDED); i++) {
    struct sigaction now;
    forwards[i] = (Forward){.exec = e, .row = i};
    if (e->terminal && !FORWARDED[i].terminal)
      continue;
    if (sigaction(FORWARDED[i].signo, NULL, &now) == 0 && now.sa_handler != SIG_IGN)
      forwards[i].signal = loop_signal_new(e->cli->loop, FORWARDED[i].signo, on_signal, &forwards[i]);
  }
}

static void on_resize(void *arg) {
  Exec *e = arg;
  Request request = SANDPLANE__V1__EXEC_STREAM_REQUEST__INIT;
  Sandplane__V1__TerminalSize size = SANDPLANE__V1__TERMINAL_SIZE__INIT;
  if (!e->call)
    return;
  terminal_size(&size.columns, &size.rows);
  request.request_case = SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_RESIZE;
  request.resize = &size;
  call_write(e->call, &request);
}

/* 0, or -1: nobody reads our output any more. */
static int put(int fd, ProtobufCBinaryData data) {
  while (data.len) {
    ssize_t n = write(fd, data.data, data.len);
    if (n < 0 && errno == EAGAIN) /* who shares our terminal may have made it non-blocking */
      poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
    else if (n < 0 && errno != EINTR)
      return -1;
    if (n < 0)
      continue;
    data.data += n;
    data.len -= (size_t)n;
  }
  return 0;
}

static int exit_code(const Sandplane__V1__ExitStatus *status) {
  if (status->timed_out)
    return EXIT_TIMED_OUT;
  return status->signal ? EXIT_SIGNAL_BASE + status->signal : status->exit_code;
}

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Exec *e = arg;
  Arena *arena = arena_new();
  Response *response = rpc_pb_unpack(&sandplane__v1__exec_stream_response__descriptor, arena, data, len, &e->err);
  int rc = response ? 0 : -1;
  if (response && response->response_case == SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STARTED && e->forward_stdin)
    e->pump = pump_new(&(PumpConfig){.loop = e->cli->loop, .call = call, .fd = STDIN_FILENO, .send = send_stdin});
  if (response && response->response_case == SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STDOUT)
    rc = put(STDOUT_FILENO, response->stdout);
  if (response && response->response_case == SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STDERR)
    rc = put(STDERR_FILENO, response->stderr);
  if (response && response->response_case == SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_EXIT)
    e->code = exit_code(response->exit);
  arena_free(arena);
  if (rc == 0) {
    rpc_client_read(call);
    return;
  }
  e->code = EXIT_SIGNAL_BASE + SIGPIPE; /* as a local command in a pipe whose reader has gone */
  rpc_client_cancel(call);
}

static void on_written(RpcClientCall *call, void *arg) {
  Exec *e = arg;
  pump_written(e->pump);
}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  Exec *e = arg;
  e->call = NULL;
  if (e->code < 0 && !e->err.kind)
    e->err = *status;
  loop_stop(e->cli->loop);
}

static int fill_command(Cli *cli, const Args *args, Sandplane__V1__Command *command) {
  Error err = {0};
  bool behind = args->n_command > 0;
  command->n_args = behind ? args->n_command : args->n_names - 1;
  command->args = behind ? args->command : (char **)args->names + 1;
  if (args_has(args, "workdir"))
    command->working_dir = (char *)args_value(args, "workdir");
  command->timeout = text_duration(cli, args, "limit", &err);
  if (err.kind)
    return cli_usage("%s", err.message);
  command->env = arena_alloc(cli->arena, ARGS_MAX * sizeof(Sandplane__V1__Command__EnvEntry *));
  for (;; command->n_env++) {
    Sandplane__V1__Command__EnvEntry *entry = arena_alloc(cli->arena, sizeof *entry);
    sandplane__v1__command__env_entry__init(entry);
    int rc = text_pair(cli, args, "env", command->n_env, &entry->key, &entry->value, &err);
    if (rc <= 0)
      return rc < 0 ? cli_usage("%s", err.message) : 0;
    command->env[command->n_env] = entry;
  }
}

static int run(Cli *cli, Exec *e, const Sandplane__V1__ExecStreamRequest__Start *start) {
  static const RpcClientHandlers HANDLERS = {.on_message = on_message, .on_written = on_written, .on_done = on_done};
  Request request = SANDPLANE__V1__EXEC_STREAM_REQUEST__INIT;
  request.request_case = SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_START;
  request.start = (void *)start;
  RpcMetadata token[1];
  size_t n = cli_metadata(cli, token);
  e->call = rpc_client_call(cli->channel, SANDBOX_SERVICE "ExecStream", cli->timeout_ms, false, token, n, &HANDLERS, e);
  call_write(e->call, &request);
  if (!e->forward_stdin && !e->terminal)
    rpc_client_half_close(e->call);
  rpc_client_read(e->call);
  Forward forwards[ARRAY_LEN(FORWARDED)];
  forward_signals(e, forwards);
  LoopSignal *resize = e->terminal ? loop_signal_new(cli->loop, SIGWINCH, on_resize, e) : NULL;
  loop_run(cli->loop);
  for (size_t i = 0; i < ARRAY_LEN(forwards); i++)
    if (forwards[i].signal)
      loop_signal_free(forwards[i].signal);
  if (resize)
    loop_signal_free(resize);
  pump_free(e->pump);
  terminal_restore();
  if (e->code >= 0)
    return e->code;
  return e->killed ? EXIT_SIGNAL_BASE + e->killed : cli_fail(cli, &e->err);
}

static int exec(Cli *cli, const Args *args) {
  Sandplane__V1__ExecStreamRequest__Start start = SANDPLANE__V1__EXEC_STREAM_REQUEST__START__INIT;
  Sandplane__V1__Command command = SANDPLANE__V1__COMMAND__INIT;
  Sandplane__V1__TerminalSize size = SANDPLANE__V1__TERMINAL_SIZE__INIT;
  if (!args->n_names || (args->n_names > 1) == (args->n_command > 0))
    return cli_usage("exec needs NAME -- COMMAND");
  int code = fill_command(cli, args, &command);
  if (code)
    return code;
  if (!cli->timeout_given)
    cli->timeout_ms = INT64_MAX;
  start.name = cli_name(cli, "sandboxes", args->names[0]);
  start.command = &command;
  Exec e = {.cli = cli, .code = -1, .forward_stdin = args_has(args, "stdin"), .terminal = args_has(args, "tty")};
  start.no_stdin = !e.forward_stdin && !e.terminal;
  if (e.terminal) {
    terminal_size(&size.columns, &size.rows);
    start.terminal = &size;
    if (e.forward_stdin && !terminal_raw())
      return cli_usage("-t: standard input is no terminal; leave -t out");
  }
  return run(cli, &e, &start);
}

static const Option EXEC[] = {
    {"stdin", 'i', NULL, "standard input goes to the command"},
    {"tty", 't', NULL, "the command gets a terminal"},
    {"env", 'e', "NAME=VALUE", "may be repeated"},
    {"workdir", 'w', "PATH", "below the workspace"},
    {"limit", 'l', "DURATION", "kills the command after this time; exit code 124"},
    {NULL, 0, NULL, NULL},
};

const Command EXEC_COMMANDS[] = {
    {"exec", "[-i] [-t] NAME -- COMMAND [ARGS]", "Runs a command in a sandbox; its exit code is the command's.", EXEC,
     exec, "list"},
    {NULL, NULL, NULL, NULL, NULL},
};
