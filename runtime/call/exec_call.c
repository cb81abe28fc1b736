/* Exec: one command, whole output, exit status. The caller's deadline needs no timer here: it ends the call by
 * closing the connection, and that kills the group. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "runtime/call/methods.h"
#include "runtime/process/command.h"

/* Limits of ExecRequest: the answer must stay below the usual 4 MiB of a gRPC message. */
#define OUTPUT_DEFAULT ((size_t)1 << 20)
#define OUTPUT_MAX ((size_t)3 << 19)
#define STDIN_MAX ((size_t)1 << 20)

typedef struct Exec {
  Call *call;
  Process *process;
  Buf out, err;
  bool out_cut, err_cut;
} Exec;

static void keep(Buf *buf, bool *cut, const uint8_t *data, size_t len) {
  size_t room = buf->max - buf->len;
  if (len > room) {
    *cut = true;
    len = room;
  }
  if (buf_append(buf, data, len))
    abort(); /* len fits */
}

static void on_output(void *arg, int stream, const uint8_t *data, size_t len) {
  Exec *x = arg;
  if (stream == PROCESS_STDOUT)
    keep(&x->out, &x->out_cut, data, len);
  else
    keep(&x->err, &x->err_cut, data, len);
}

static void on_exit_(void *arg, const ProcessExit *e) {
  Exec *x = arg;
  x->process = NULL;
  Sandplane__V1__ExitStatus status = command_status(e);
  Google__Protobuf__Duration took = GOOGLE__PROTOBUF__DURATION__INIT;
  took.seconds = e->duration_us / 1000000;
  took.nanos = (int32_t)(e->duration_us % 1000000 * 1000);
  Sandplane__V1__ExecResponse r = SANDPLANE__V1__EXEC_RESPONSE__INIT;
  r.stdout = (ProtobufCBinaryData){x->out.len, x->out.data};
  r.stderr = (ProtobufCBinaryData){x->err.len, x->err.data};
  r.stdout_truncated = x->out_cut;
  r.stderr_truncated = x->err_cut;
  r.status = &status;
  r.duration = &took;
  Call *call = x->call;
  call_send_message(call, &r.base);
  call_finish(call, NULL);
}

static const ProcessHandlers HANDLERS = {.on_output = on_output, .on_exit = on_exit_};

static int check(const Sandplane__V1__ExecRequest *q, Error *err) {
  if (q->stdin.len > STDIN_MAX)
    return error_field(err, "stdin", "%zu bytes, at most %zu are allowed", q->stdin.len, STDIN_MAX);
  if (q->max_output_bytes < 0 || (size_t)q->max_output_bytes > OUTPUT_MAX)
    return error_field(err, "max_output_bytes", "must be 0 to %zu", OUTPUT_MAX);
  return 0;
}

static int start(Exec *x, const Sandplane__V1__ExecRequest *q, Error *err) {
  Runtime *rt = call_runtime(x->call);
  Command cmd;
  if (check(q, err) || command_init(&cmd, rt, q->command, call_traceparent(x->call), err))
    return -1;
  cmd.spec.no_stdin = q->stdin.len == 0;
  x->process = process_start(rt->processes, &cmd.spec, &HANDLERS, x, err);
  command_deinit(&cmd);
  if (!x->process)
    return -1;
  size_t max = q->max_output_bytes ? (size_t)q->max_output_bytes : OUTPUT_DEFAULT;
  x->out = BUF_INIT(max);
  x->err = BUF_INIT(max);
  process_write_stdin(x->process, q->stdin.data, q->stdin.len);
  process_close_stdin(x->process);
  return 0;
}

static void on_message(Call *call, const uint8_t *data, size_t len) {
  Error err;
  if (call_data(call)) {
    error_set(&err, ERROR_INVALID_ARGUMENT, "more than one message");
    return call_finish(call, &err);
  }
  Sandplane__V1__ExecRequest *q = sandplane__v1__exec_request__unpack(NULL, len, data);
  if (!q) {
    error_set(&err, ERROR_INVALID_ARGUMENT, "not an ExecRequest message");
    return call_finish(call, &err);
  }
  Exec *x = new0(Exec);
  x->call = call;
  call_set_data(call, x);
  int rc = start(x, q, &err);
  sandplane__v1__exec_request__free_unpacked(q, NULL);
  if (rc)
    call_finish(call, &err);
}

static void on_half_close(Call *call) {
  Error err;
  if (call_data(call))
    return;
  error_set(&err, ERROR_INVALID_ARGUMENT, "the request is missing");
  call_finish(call, &err);
}

static void on_end(Call *call) {
  Exec *x = call_data(call);
  if (!x)
    return;
  if (x->process)
    process_abandon(x->process);
  buf_deinit(&x->out);
  buf_deinit(&x->err);
  free(x);
}

const CallMethod METHOD_EXEC = {.name = "Exec",
                                .request = &sandplane__v1__exec_request__descriptor,
                                .on_message = on_message,
                                .on_half_close = on_half_close,
                                .on_end = on_end};
