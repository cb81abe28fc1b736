/* The same echo as echo_server, through lib/rpc and its loop; with health and reflection, so that it also
 * serves to try other clients against lib/rpc. Beside the unary echo: Stream: answers each message with
 * itself. Fail: INVALID_ARGUMENT for the field "spec.replicas", to be tried again after 1.5 s. Hold: answers
 * when the client cancels or the deadline passes, that is never. */
#include <signal.h>
#include <stdio.h>

#include "api/sandplane/v1/descriptors.h"
#include "e2e/bench/bench.h"
#include "lib/rpc/rpc_server.h"

typedef struct Config {
  const char *listen;
  int64_t max_message_bytes;
  int64_t max_calls;
} Config;

static const ConfigItem ITEMS[] = {
    {"listen", "SANDPLANE_ECHO_LISTEN", CONFIG_ADDRESS, offsetof(Config, listen), "127.0.0.1:7451", 0, 0, false,
     "address to listen on"},
    {"max-message-bytes", "SANDPLANE_ECHO_MAX_MESSAGE_BYTES", CONFIG_INT, offsetof(Config, max_message_bytes),
     "4194304", 1, 64 << 20, false, "largest message"},
    {"max-calls", "SANDPLANE_ECHO_MAX_CALLS", CONFIG_INT, offsetof(Config, max_calls), "10000", 1, 1000000, false,
     "most calls at once"},
};
static const ConfigTable TABLE = {.program = "echo_rpc",
                                  .summary = "Answers " BENCH_ECHO_METHOD " with its request, through lib/rpc.",
                                  .items = ITEMS,
                                  .n_items = ARRAY_LEN(ITEMS)};

static void echo(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_reply(call, data, len);
}

static void fail(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_field(&err, "spec.replicas", "must not be negative");
  err.retry_after_ms = 1500;
  rpc_call_finish(call, &err);
}

static void on_cancel(RpcCall *call, void *arg) {
  printf("cancelled %s\n", rpc_call_path(call));
  fflush(stdout);
  rpc_call_finish(call, NULL);
}

static void hold(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_on_cancel(call, on_cancel, NULL);
}

static void read_next(RpcCall *call, void *arg);

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  if (!data)
    return rpc_call_finish(call, NULL);
  rpc_call_write(call, data, len, read_next, NULL);
}

static void read_next(RpcCall *call, void *arg) {
  rpc_call_read(call, on_message, NULL);
}

static void stream(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_on_cancel(call, on_cancel, NULL);
  read_next(call, NULL);
}

static const RpcMethod METHODS[] = {
    {BENCH_ECHO_METHOD, RPC_UNARY, echo},
    {"/sandplane.bench.Echo/Stream", RPC_STREAM, stream},
    {"/sandplane.bench.Echo/Fail", RPC_UNARY, fail},
    {"/sandplane.bench.Echo/Hold", RPC_UNARY, hold},
};

typedef struct Program {
  Loop *loop;
  RpcServer *server;
} Program;

static void on_drained(void *arg) {
  loop_stop(((Program *)arg)->loop);
}

static void on_signal(void *arg) {
  rpc_server_drain(((Program *)arg)->server, 1000, on_drained, arg);
}

int main(int argc, char **argv) {
  Config config;
  int rc = bench_config(&TABLE, argc, argv, &config);
  if (rc >= 0)
    return rc;
  Program program = {.loop = loop_new()};
  RpcServerConfig server = {.address = config.listen,
                            .max_message_bytes = (size_t)config.max_message_bytes,
                            .max_calls = (size_t)config.max_calls,
                            .methods = METHODS,
                            .n_methods = ARRAY_LEN(METHODS),
                            .descriptors = SANDPLANE_V1_DESCRIPTORS,
                            .descriptors_len = SANDPLANE_V1_DESCRIPTORS_len};
  Error err;
  program.server = rpc_server_new(program.loop, &server, &err);
  if (!program.server) {
    fprintf(stderr, "echo_rpc: %s\n", err.message);
    loop_free(program.loop);
    return 1;
  }
  LoopSignal *term = loop_signal_new(program.loop, SIGTERM, on_signal, &program);
  rpc_server_set_serving(program.server, true);
  printf("listening on %s\n", config.listen);
  fflush(stdout);
  loop_run(program.loop);
  rpc_server_free(program.server);
  loop_signal_free(term);
  loop_free(program.loop);
  return 0;
}
