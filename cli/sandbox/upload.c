/* See upload.h. */
#include "cli/sandbox/upload.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/sandbox/pump.h"
#include "lib/rpc/rpc_pb.h"

typedef struct Run {
  Cli *cli;
  const Upload *upload;
  Pump *pump;
  void *answer;
  Error *err;
} Run;

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Run *run = arg;
  run->answer = rpc_pb_unpack(run->upload->answer, run->cli->arena, data, len, run->err);
  rpc_client_read(call);
}

static void on_written(RpcClientCall *call, void *arg) {
  Run *run = arg;
  pump_written(run->pump);
}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  Run *run = arg;
  if (status->kind != ERROR_NONE) {
    *run->err = *status;
    run->answer = NULL;
  } else if (!run->answer && !run->err->kind) {
    error_set(run->err, ERROR_INTERNAL, "the server sent no answer");
  }
  if (pump_error(run->pump))
    error_set(run->err, ERROR_UNKNOWN, "%s: %s", run->upload->progress, strerror(pump_error(run->pump)));
  pump_free(run->pump); /* nothing may be written any more */
  run->pump = NULL;
  loop_stop(run->cli->loop);
}

void *upload_run(Cli *cli, const Upload *upload, Error *err) {
  static const RpcClientHandlers HANDLERS = {.on_message = on_message, .on_written = on_written, .on_done = on_done};
  Run run = {.cli = cli, .upload = upload, .err = err};
  struct stat st;
  int64_t total = fstat(upload->fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : 0;
  RpcMetadata token[1];
  size_t n = cli_metadata(cli, token);
  RpcClientCall *call = rpc_client_call(cli->channel, upload->path, cli->timeout_given ? cli->timeout_ms : INT64_MAX,
                                        false, token, n, &HANDLERS, &run);
  call_write(call, upload->start);
  rpc_client_read(call);
  run.pump = pump_new(&(PumpConfig){.loop = cli->loop,
                                    .call = call,
                                    .fd = upload->fd,
                                    .send = upload->send,
                                    .progress = isatty(STDERR_FILENO) ? upload->progress : NULL,
                                    .total = total});
  loop_run(cli->loop);
  return run.answer;
}
