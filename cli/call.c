/* See call.h. */
#include "cli/call.h"

#include <stdlib.h>

#include "lib/rpc/rpc_pb.h"

typedef struct Wait {
  Cli *cli;
  const ProtobufCMessageDescriptor *descriptor;
  int (*fn)(void *arg, const void *message);
  void *arg;
  void *message; /* of a unary call */
  Error *err;
  int outcome;
} Wait;

void call_write(RpcClientCall *call, const void *message) {
  size_t len;
  uint8_t *data = rpc_pb_pack(message, &len);
  rpc_client_write(call, data, len);
  free(data);
}

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Wait *wait = arg;
  if (status->kind != ERROR_NONE)
    *wait->err = *status;
  else
    wait->message = rpc_pb_unpack(wait->descriptor, wait->cli->arena, data, len, wait->err);
  loop_stop(wait->cli->loop);
}

void *call_unary(Cli *cli, const char *path, const void *request, const ProtobufCMessageDescriptor *answer,
                 Error *err) {
  Wait wait = {.cli = cli, .descriptor = answer, .err = err};
  size_t len;
  uint8_t *data = rpc_pb_pack(request, &len);
  RpcMetadata token[1];
  size_t n = cli_metadata(cli, token);
  rpc_client_unary_with(cli->channel, path, cli->timeout_ms, token, n, data, len, on_answer, &wait);
  free(data);
  loop_run(cli->loop);
  return wait.message;
}

static void *field_of(const void *message, const ProtobufCMessageDescriptor *descriptor, const char *name) {
  return (char *)message + protobuf_c_message_descriptor_get_field_by_name(descriptor, name)->offset;
}

int call_pages(Cli *cli, const char *path, ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer,
               void (*fn)(void *arg, const void *item), void *arg, Error *err) {
  const ProtobufCFieldDescriptor *items = answer->fields;
  while (items->label != PROTOBUF_C_LABEL_REPEATED)
    items++;
  char **token = field_of(request, request->descriptor, "page_token");
  do {
    const char *page = call_unary(cli, path, request, answer, err);
    if (!page)
      return -1;
    void *const *item = *(void *const *const *)(page + items->offset);
    for (size_t n = *(const size_t *)(page + items->quantifier_offset); n > 0; n--)
      fn(arg, *item++);
    *token = *(char **)field_of(page, answer, "next_page_token");
  } while ((*token)[0]);
  return 0;
}

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Wait *wait = arg;
  if (wait->outcome)
    return;
  Arena *arena = arena_new();
  void *message = rpc_pb_unpack(wait->descriptor, arena, data, len, wait->err);
  wait->outcome = message ? wait->fn(wait->arg, message) : -1;
  arena_free(arena);
  if (wait->outcome)
    rpc_client_cancel(call);
  else
    rpc_client_read(call);
}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  Wait *wait = arg;
  if (!wait->outcome && status->kind != ERROR_NONE) {
    *wait->err = *status;
    wait->outcome = -1;
  }
  loop_stop(wait->cli->loop);
}

int call_stream(Cli *cli, const char *path, const void *request, const ProtobufCMessageDescriptor *answer,
                int (*fn)(void *arg, const void *message), void *arg, Error *err) {
  static const RpcClientHandlers HANDLERS = {.on_message = on_message, .on_done = on_done};
  Wait wait = {.cli = cli, .descriptor = answer, .fn = fn, .arg = arg, .err = err};
  RpcMetadata token[1];
  size_t n = cli_metadata(cli, token);
  RpcClientCall *call = rpc_client_call(cli->channel, path, cli->timeout_ms, false, token, n, &HANDLERS, &wait);
  call_write(call, request);
  rpc_client_half_close(call);
  rpc_client_read(call);
  loop_run(cli->loop);
  return wait.outcome;
}
