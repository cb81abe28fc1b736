/* Not lib/rpc: the measure must not move with the thing measured. */
#include "e2e/bench/load_client.h"

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"

enum { CALL_TIMEOUT_S = 60, MAX_TARGETS = 8 };

struct LoadClient {
  grpc_channel *channels[MAX_TARGETS];
  size_t n_channels, turn;
  grpc_completion_queue *cq;
  size_t outstanding;
};

typedef struct Call {
  LoadClient *client;
  grpc_call *call;
  grpc_metadata_array initial, trailing;
  grpc_byte_buffer *answer;
  grpc_status_code status;
  grpc_slice message;
  int64_t start_us;
  void (*fn)(void *arg, const LoadAnswer *answer);
  void *arg;
} Call;

LoadClient *load_client_new(const char *target) {
  grpc_init();
  LoadClient *client = new0(LoadClient);
  client->cq = grpc_completion_queue_create_for_next(NULL);
  load_client_add(client, target);
  return client;
}

void load_client_add(LoadClient *client, const char *target) {
  if (client->n_channels == MAX_TARGETS)
    abort();
  grpc_channel_credentials *creds = grpc_insecure_credentials_create();
  client->channels[client->n_channels++] = grpc_channel_create(target, creds, NULL);
  grpc_channel_credentials_release(creds);
}

void load_client_free(LoadClient *client) {
  for (size_t i = 0; i < client->n_channels; i++)
    grpc_channel_destroy(client->channels[i]);
  grpc_completion_queue_shutdown(client->cq);
  while (grpc_completion_queue_next(client->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(client->cq);
  free(client);
  grpc_shutdown();
}

void load_client_call(LoadClient *client, const char *path, const uint8_t *data, size_t len,
                      void (*fn)(void *arg, const LoadAnswer *answer), void *arg) {
  Call *call = new0(Call);
  *call = (Call){.client = client, .start_us = clock_mono_us(), .fn = fn, .arg = arg};
  grpc_metadata_array_init(&call->initial);
  grpc_metadata_array_init(&call->trailing);
  gpr_timespec deadline =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_seconds(CALL_TIMEOUT_S, GPR_TIMESPAN));
  grpc_slice method = grpc_slice_from_copied_string(path);
  grpc_channel *channel = client->channels[client->turn++ % client->n_channels];
  call->call =
      grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->cq, method, NULL, deadline, NULL);
  grpc_slice_unref(method);
  grpc_slice body = grpc_slice_from_copied_buffer((const char *)data, len);
  grpc_byte_buffer *request = grpc_raw_byte_buffer_create(&body, 1);
  grpc_slice_unref(body);
  grpc_op ops[] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA,
       .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = request},
      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
      {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
      {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->answer},
      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
       .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                      .status = &call->status,
                                      .status_details = &call->message}},
  };
  if (grpc_call_start_batch(call->call, ops, sizeof ops / sizeof ops[0], call, NULL) != GRPC_CALL_OK)
    abort();
  grpc_byte_buffer_destroy(request);
  client->outstanding++;
}

static void complete(Call *call) {
  LoadAnswer answer = {.status = (int)call->status, .us = clock_mono_us() - call->start_us};
  char *message = grpc_slice_to_c_string(call->message);
  grpc_slice body = grpc_empty_slice();
  grpc_byte_buffer_reader reader;
  if (call->answer && grpc_byte_buffer_reader_init(&reader, call->answer)) {
    body = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
  }
  answer.message = message;
  answer.data = GRPC_SLICE_START_PTR(body);
  answer.len = GRPC_SLICE_LENGTH(body);
  call->client->outstanding--;
  call->fn(call->arg, &answer);
  grpc_slice_unref(body);
  gpr_free(message);
  if (call->answer)
    grpc_byte_buffer_destroy(call->answer);
  grpc_metadata_array_destroy(&call->initial);
  grpc_metadata_array_destroy(&call->trailing);
  grpc_slice_unref(call->message);
  grpc_call_unref(call->call);
  free(call);
}

void load_client_run(LoadClient *client) {
  while (client->outstanding > 0) {
    complete(grpc_completion_queue_next(client->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).tag);
  }
}

static void on_connected(void *arg, const LoadAnswer *answer) {}

void load_client_connect(LoadClient *client) {
  for (size_t i = 0; i < client->n_channels; i++)
    load_client_call(client, "/grpc.health.v1.Health/Check", (const uint8_t *)"", 0, on_connected, NULL);
  load_client_run(client);
}
