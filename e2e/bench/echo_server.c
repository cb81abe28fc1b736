/* The peer that lib/rpc is measured against: a unary echo on the bare C core, as fast as one thread makes it.
 *
 * It does nothing else: the thread that polls answers in place, so there is no hand-over, no cancellation and
 * no second kind of call. The method is registered, so a call arrives with its request; the answer, the
 * status and the watch for the call's end are one batch. What lib/rpc takes longer is the price of its event
 * loop. Ends by a signal, without ceremony.
 */
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "e2e/bench/bench.h"
#include "lib/base/alloc.h"
#include "lib/base/config.h"

/* Calls waiting to be filled: above the depth of any benchmark here. */
enum { SLOTS = 256 };

typedef struct Config {
  const char *listen;
} Config;

static const ConfigItem ITEMS[] = {
    {"listen", "SANDPLANE_ECHO_LISTEN", CONFIG_ADDRESS, offsetof(Config, listen), "127.0.0.1:7450", 0, 0, false,
     "address to listen on"},
};
static const ConfigTable TABLE = {.program = "echo_server",
                                  .summary = "Answers " BENCH_ECHO_METHOD " with its request, on the bare gRPC C core.",
                                  .items = ITEMS,
                                  .n_items = ARRAY_LEN(ITEMS)};

typedef struct Server {
  grpc_server *server;
  grpc_completion_queue *cq;
  void *method;
} Server;

typedef struct Call {
  grpc_call *call;
  gpr_timespec deadline;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  int cancelled;
  bool answered;
} Call;

static void request(Server *s, Call *call) {
  *call = (Call){.call = NULL};
  grpc_metadata_array_init(&call->metadata);
  if (grpc_server_request_registered_call(s->server, s->method, &call->call, &call->deadline, &call->metadata,
                                          &call->payload, s->cq, s->cq, call) != GRPC_CALL_OK) {
    abort();
  }
}

static void answer(Call *call) {
  grpc_op ops[] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA},
      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server.status = GRPC_STATUS_OK},
      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->payload},
  };
  size_t n = call->payload ? ARRAY_LEN(ops) : ARRAY_LEN(ops) - 1;
  call->answered = true;
  if (grpc_call_start_batch(call->call, ops, n, call, NULL) != GRPC_CALL_OK)
    abort();
}

static void finish(Call *call) {
  grpc_metadata_array_destroy(&call->metadata);
  if (call->payload)
    grpc_byte_buffer_destroy(call->payload);
  grpc_call_unref(call->call);
}

static int serve(const char *address) {
  Server s = {.server = grpc_server_create(NULL, NULL), .cq = grpc_completion_queue_create_for_next(NULL)};
  grpc_server_register_completion_queue(s.server, s.cq, NULL);
  s.method =
      grpc_server_register_method(s.server, BENCH_ECHO_METHOD, NULL, GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
  if (!grpc_server_add_http2_port(s.server, address, grpc_insecure_server_credentials_create())) {
    fprintf(stderr, "echo_server: cannot listen on %s\n", address);
    return 1;
  }
  grpc_server_start(s.server);
  Call *calls = xcalloc(SLOTS, sizeof *calls);
  for (int i = 0; i < SLOTS; i++)
    request(&s, &calls[i]);
  printf("listening on %s\n", address);
  fflush(stdout);
  for (;;) {
    grpc_event event = grpc_completion_queue_next(s.cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    Call *call = event.tag;
    if (!call->answered) {
      answer(call);
    } else {
      finish(call);
      request(&s, call);
    }
  }
}

int main(int argc, char **argv) {
  Config config;
  int rc = bench_config(&TABLE, argc, argv, &config);
  if (rc >= 0)
    return rc;
  grpc_init();
  return serve(config.listen);
}
