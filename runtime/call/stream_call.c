/* ExecStream: a command with its streams open both ways. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "runtime/call/methods.h"
#include "runtime/process/command.h"

/* Input that waits for the command before its caller is no longer read. */
#define STDIN_PENDING_MAX ((size_t)1 << 20)

typedef struct ExecStream {
  Call *call;
  Process *process;
  bool started;
} ExecStream;

static void send_response(Call *call, Sandplane__V1__ExecStreamResponse *r) {
  call_send_message(call, &r->base);
}

static void on_output(void *arg, int stream, const uint8_t *data, size_t len) {
  ExecStream *x = arg;
  Sandplane__V1__ExecStreamResponse r = SANDPLANE__V1__EXEC_STREAM_RESPONSE__INIT;
  bool out = stream == PROCESS_STDOUT;
  r.response_case =
      out ? SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STDOUT : SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STDERR;
  ProtobufCBinaryData *where = out ? &r.stdout : &r.stderr;
  *where = (ProtobufCBinaryData){len, (uint8_t *)data};
  send_response(x->call, &r);
  if (call_pending(x->call) >= STREAM_HIGH)
    process_pause_output(x->process, true);
}

static void on_exit_(void *arg, const ProcessExit *e) {
  ExecStream *x = arg;
  x->process = NULL;
  Sandplane__V1__ExitStatus status = command_status(e);
  Sandplane__V1__ExecStreamResponse r = SANDPLANE__V1__EXEC_STREAM_RESPONSE__INIT;
  r.response_case = SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_EXIT;
  r.exit = &status;
  send_response(x->call, &r);
  call_finish(x->call, NULL);
}

static void on_stdin_drained(void *arg) {
  call_pause(((ExecStream *)arg)->call, false);
}

static const ProcessHandlers HANDLERS = {
    .on_output = on_output, .on_exit = on_exit_, .on_stdin_drained = on_stdin_drained};

static int check_size(const Sandplane__V1__TerminalSize *t, const char *field, Error *err) {
  if (t->columns < 1 || t->columns > 65535 || t->rows < 1 || t->rows > 65535)
    return error_field(err, field, "columns and rows must be 1 to 65535");
  return 0;
}

static int start(ExecStream *x, const Sandplane__V1__ExecStreamRequest__Start *s, Error *err) {
  Runtime *rt = call_runtime(x->call);
  Command cmd;
  if ((s->terminal && check_size(s->terminal, "start.terminal", err)) ||
      command_init(&cmd, rt, s->command, call_traceparent(x->call), err))
    return -1;
  cmd.spec.no_stdin = s->no_stdin && !s->terminal;
  if (s->terminal) {
    cmd.spec.pty = true;
    cmd.spec.columns = (uint16_t)s->terminal->columns;
    cmd.spec.rows = (uint16_t)s->terminal->rows;
    /* what programs take for a terminal that can do the usual, as container engines say it */
    cmd.spec.envp = cmd.envp = runtime_environ_default(cmd.envp, "TERM", "xterm");
  }
  x->process = process_start(rt->processes, &cmd.spec, &HANDLERS, x, err);
  command_deinit(&cmd);
  if (!x->process)
    return -1;
  x->started = true;
  Sandplane__V1__ExecStreamResponse__Started started = SANDPLANE__V1__EXEC_STREAM_RESPONSE__STARTED__INIT;
  started.pid = process_pid(x->process);
  Sandplane__V1__ExecStreamResponse r = SANDPLANE__V1__EXEC_STREAM_RESPONSE__INIT;
  r.response_case = SANDPLANE__V1__EXEC_STREAM_RESPONSE__RESPONSE_STARTED;
  r.started = &started;
  send_response(x->call, &r);
  return 0;
}

static int later(ExecStream *x, const Sandplane__V1__ExecStreamRequest *q, Error *err) {
  if (!x->process)
    return 0; /* it has ended, the exit status is on its way */
  switch (q->request_case) {
  case SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_STDIN:
    process_write_stdin(x->process, q->stdin.data, q->stdin.len);
    if (process_stdin_pending(x->process) > STDIN_PENDING_MAX)
      call_pause(x->call, true);
    return 0;
  case SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_RESIZE:
    if (check_size(q->resize, "resize", err))
      return -1;
    process_resize(x->process, (uint16_t)q->resize->columns, (uint16_t)q->resize->rows);
    return 0;
  case SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_SIGNAL:
    if (q->signal < 1 || q->signal > 31)
      return error_field(err, "signal", "must be 1 to 31");
    process_signal(x->process, q->signal);
    return 0;
  default:
    return error_field(err, "request", "must be stdin, resize or signal after start");
  }
}

static void on_open(Call *call) {
  ExecStream *x = new0(ExecStream);
  x->call = call;
  call_set_data(call, x);
}

static void on_message(Call *call, const uint8_t *data, size_t len) {
  ExecStream *x = call_data(call);
  Error err;
  Sandplane__V1__ExecStreamRequest *q = sandplane__v1__exec_stream_request__unpack(NULL, len, data);
  int rc;
  if (!q)
    rc = error_set(&err, ERROR_INVALID_ARGUMENT, "not an ExecStreamRequest message");
  else if (x->started)
    rc = later(x, q, &err);
  else if (q->request_case != SANDPLANE__V1__EXEC_STREAM_REQUEST__REQUEST_START)
    rc = error_field(&err, "start", "must be the first message");
  else
    rc = start(x, q->start, &err);
  if (q)
    sandplane__v1__exec_stream_request__free_unpacked(q, NULL);
  if (rc)
    call_finish(call, &err);
}

static void on_half_close(Call *call) {
  ExecStream *x = call_data(call);
  Error err;
  if (x->process)
    return process_close_stdin(x->process);
  if (x->started)
    return;
  error_field(&err, "start", "is missing");
  call_finish(call, &err);
}

static void on_drained(Call *call) {
  ExecStream *x = call_data(call);
  if (x->process)
    process_pause_output(x->process, false);
}

static void on_end(Call *call) {
  ExecStream *x = call_data(call);
  if (x->process)
    process_abandon(x->process);
  free(x);
}

const CallMethod METHOD_EXEC_STREAM = {.name = "ExecStream",
                                       .request = &sandplane__v1__exec_stream_request__descriptor,
                                       .on_open = on_open,
                                       .on_message = on_message,
                                       .on_half_close = on_half_close,
                                       .on_drained = on_drained,
                                       .on_end = on_end};
