/* One call of a client.
 *
 * A unary call is one batch with all six operations, so one completion. A stream has three chains: sends
 * (one batch at a time), reads (one at a time, on demand) and the status, which also fetches the initial
 * metadata. on_done waits for all three, so that nothing of the call runs after it.
 *
 * The first send waits for the next turn of the loop, or for half-close: headers, the first message and the
 * end of the stream then leave in one piece.
 *
 * An abandoned call (its channel is freed) has had its on_done; it only waits for its batches to end.
 */
#include "lib/rpc/rpc_client.h"

#include <grpc/support/time.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/rpc/rpc_bytes.h"
#include "lib/rpc/rpc_channel.h"
#include "lib/rpc/rpc_status.h"
#include "lib/rpc/rpc_writes.h"

struct RpcClientCall {
  RpcQueue *queue;
  RpcChannel *channel; /* NULL: abandoned */
  RpcChannelCall on_channel;
  grpc_call *call;
  RpcClientHandlers handlers;
  void (*unary_fn)(void *arg, const Error *status, const uint8_t *data, size_t len);
  void *arg;

  size_t holds; /* batches under way */
  RpcOp first_op, send_op, read_op, status_op;

  grpc_metadata *metadata;
  size_t n_metadata;
  uint32_t flags;
  bool initial_sent;
  bool sending;
  bool half_close;
  bool close_sent;
  bool broken;
  RpcWrites writes;

  bool reading;
  grpc_byte_buffer *read_buffer;

  bool cancelled; /* by this side */
  grpc_metadata_array initial, trailing;
  grpc_status_code status;
  grpc_slice status_message;
};

static void metadata_free(RpcClientCall *call) {
  for (size_t i = 0; i < call->n_metadata; i++) {
    grpc_slice_unref(call->metadata[i].key);
    grpc_slice_unref(call->metadata[i].value);
  }
  free(call->metadata);
  call->metadata = NULL;
  call->n_metadata = 0;
}

static void call_unlink(RpcClientCall *call) {
  if (!call->channel)
    return;
  RpcChannelCall *on_channel = &call->on_channel;
  *on_channel->link = on_channel->next;
  if (on_channel->next)
    on_channel->next->link = on_channel->link;
  call->channel = NULL;
}

static void call_free(RpcClientCall *call) {
  rpc_writes_drop(&call->writes);
  metadata_free(call);
  if (call->read_buffer)
    grpc_byte_buffer_destroy(call->read_buffer);
  grpc_metadata_array_destroy(&call->initial);
  grpc_metadata_array_destroy(&call->trailing);
  grpc_slice_unref(call->status_message);
  grpc_call_unref(call->call);
  free(call);
}

/* ---- The end ---- */

static void done(RpcClientCall *call, const Error *status, const uint8_t *details, size_t details_len) {
  if (!call->unary_fn) {
    call->handlers.on_done(call, call->arg, status, details, details_len);
  } else if (status->kind == ERROR_NONE) {
    grpc_slice message = rpc_bytes_take(call->read_buffer);
    call->read_buffer = NULL;
    call->unary_fn(call->arg, status, GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message));
    grpc_slice_unref(message);
  } else {
    call->unary_fn(call->arg, status, NULL, 0);
  }
}

static void done_with_status(RpcClientCall *call) {
  const uint8_t *details = NULL;
  size_t details_len = 0;
  Error status = {.kind = ERROR_NONE};
  if (call->status != GRPC_STATUS_OK) {
    error_set(&status, (ErrorKind)call->status, "%.*s", (int)GRPC_SLICE_LENGTH(call->status_message),
              (const char *)GRPC_SLICE_START_PTR(call->status_message));
  } else if (call->unary_fn && !call->read_buffer) {
    error_set(&status, ERROR_INTERNAL, "the server answered OK without a message");
  }
  for (size_t i = 0; i < call->trailing.count; i++) {
    const grpc_metadata *md = &call->trailing.metadata[i];
    if (grpc_slice_str_cmp(md->key, RPC_STATUS_DETAILS_KEY))
      continue;
    details = GRPC_SLICE_START_PTR(md->value);
    details_len = GRPC_SLICE_LENGTH(md->value);
    break;
  }
  if (status.kind != ERROR_NONE)
    rpc_status_decode(details, details_len, &status);
  /* The C core ends so what reaches a server in the moment in which it begins to shut down; the caller did not. */
  if (status.kind == ERROR_CANCELLED && !call->cancelled)
    error_set(&status, ERROR_UNAVAILABLE, "the server gave the call up: %.*s",
              (int)GRPC_SLICE_LENGTH(call->status_message), (const char *)GRPC_SLICE_START_PTR(call->status_message));
  done(call, &status, details, details_len);
}

static void release(RpcClientCall *call) {
  if (--call->holds > 0)
    return;
  if (call->channel) {
    if (call->status == GRPC_STATUS_UNAVAILABLE || call->status == GRPC_STATUS_DEADLINE_EXCEEDED)
      rpc_channel_knock(call->channel);
    call_unlink(call);
    done_with_status(call);
  }
  call_free(call);
}

/* Runs on_done with CANCELLED now; the call's batches end without callbacks. */
static void abandon(RpcChannelCall *on_channel) {
  RpcClientCall *call = RPC_OP_OWNER(on_channel, RpcClientCall, on_channel);
  Error status;
  error_set(&status, ERROR_CANCELLED, "the channel was closed");
  call_unlink(call);
  grpc_call_cancel(call->call, NULL);
  done(call, &status, NULL, 0);
}

static void on_status(RpcOp *op, bool ok) {
  RpcClientCall *call = RPC_OP_OWNER(op, RpcClientCall, status_op);
  release(call);
}

/* ---- Sending ---- */

static void flush(RpcClientCall *call);

static void on_sent(RpcOp *op, bool ok) {
  RpcClientCall *call = RPC_OP_OWNER(op, RpcClientCall, send_op);
  RpcWrite *write = rpc_writes_sent(&call->writes);
  call->sending = false;
  metadata_free(call);
  if (!ok) {
    call->broken = true;
    rpc_writes_drop(&call->writes);
  } else if (write && call->channel && call->handlers.on_written) {
    call->handlers.on_written(call, call->arg);
  }
  rpc_write_free(write);
  flush(call);
  release(call);
}

static void flush(RpcClientCall *call) {
  if (call->sending || call->broken || call->close_sent)
    return;
  const RpcWrite *write = call->writes.first;
  bool close = call->half_close && (!write || !write->next);
  if (call->initial_sent && !write && !close)
    return;

  grpc_op ops[3];
  size_t n = 0;
  if (!call->initial_sent) {
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
                         .flags = call->flags,
                         .data.send_initial_metadata = {.count = call->n_metadata, .metadata = call->metadata}};
    call->initial_sent = true;
  }
  if (write)
    ops[n++] = rpc_writes_start(&call->writes);
  if (close) {
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
    call->close_sent = true;
  }
  call->sending = true;
  call->holds++;
  rpc_queue_start(call->queue, call->call, ops, n, &call->send_op);
}

static void on_first(RpcOp *op, bool ok) {
  RpcClientCall *call = RPC_OP_OWNER(op, RpcClientCall, first_op);
  if (!call->initial_sent)
    flush(call);
  release(call);
}

void rpc_client_write(RpcClientCall *call, const uint8_t *data, size_t len) {
  if (call->broken || call->half_close)
    return;
  rpc_writes_add(&call->writes, grpc_slice_from_copied_buffer((const char *)data, len));
  if (call->initial_sent)
    flush(call);
}

size_t rpc_client_pending_bytes(const RpcClientCall *call) {
  return call->writes.bytes;
}

void rpc_client_half_close(RpcClientCall *call) {
  call->half_close = true;
  flush(call);
}

/* ---- Receiving ---- */

static void on_read(RpcOp *op, bool ok) {
  RpcClientCall *call = RPC_OP_OWNER(op, RpcClientCall, read_op);
  grpc_byte_buffer *buffer = call->read_buffer;
  call->read_buffer = NULL;
  call->reading = false;
  if (buffer) {
    grpc_slice message = rpc_bytes_take(buffer);
    if (call->channel) {
      call->handlers.on_message(call, call->arg, GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message));
    }
    grpc_slice_unref(message);
  }
  release(call);
}

void rpc_client_read(RpcClientCall *call) {
  if (call->reading)
    abort();
  call->reading = true;
  call->read_op.fn = on_read;
  call->holds++;
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->read_buffer};
  rpc_queue_start(call->queue, call->call, &op, 1, &call->read_op);
}

void rpc_client_cancel(RpcClientCall *call) {
  call->cancelled = true;
  grpc_call_cancel(call->call, NULL);
}

/* ---- Starting ---- */

static gpr_timespec deadline_in(int64_t timeout_ms) {
  /* Ten years: what is farther away would overflow on its way to nanoseconds. */
  const int64_t far_ms = (int64_t)10 * 365 * 86400 * 1000;
  if (timeout_ms > far_ms)
    return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(timeout_ms, GPR_TIMESPAN));
}

static void link_to(RpcChannel *channel, RpcChannelCall *on_channel) {
  *on_channel = (RpcChannelCall){.next = channel->calls, .link = &channel->calls, .abandon = abandon};
  if (on_channel->next)
    on_channel->next->link = &on_channel->next;
  channel->calls = on_channel;
}

static RpcClientCall *call_new(RpcChannel *channel, const char *path, int64_t timeout_ms) {
  RpcClientCall *call = new0(RpcClientCall);
  call->queue = channel->queue;
  call->channel = channel;
  link_to(channel, &call->on_channel);
  rpc_writes_init(&call->writes);
  call->status_message = grpc_empty_slice();
  call->status_op.fn = on_status;
  call->send_op.fn = on_sent;
  grpc_metadata_array_init(&call->initial);
  grpc_metadata_array_init(&call->trailing);
  grpc_slice method = grpc_slice_from_copied_string(path);
  call->call = grpc_channel_create_call(channel->channel, NULL, GRPC_PROPAGATE_DEFAULTS, rpc_queue_cq(channel->queue),
                                        method, NULL, deadline_in(timeout_ms), NULL);
  grpc_slice_unref(method);
  return call;
}

static size_t status_ops(RpcClientCall *call, grpc_op ops[2]) {
  ops[0] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                     .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
  ops[1] = (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                     .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                    .status = &call->status,
                                                    .status_details = &call->status_message}};
  return 2;
}

static void metadata_set(RpcClientCall *call, const RpcMetadata *metadata, size_t n) {
  call->metadata = xcalloc(1, (n + 1) * sizeof *call->metadata);
  for (size_t i = 0; i < n; i++) {
    grpc_metadata *md = &call->metadata[call->n_metadata++];
    md->key = grpc_slice_from_copied_string(metadata[i].key);
    md->value = grpc_slice_from_copied_string(metadata[i].value);
    if (grpc_header_key_is_legal(md->key) &&
        (grpc_is_binary_header(md->key) || grpc_header_nonbin_value_is_legal(md->value))) {
      continue;
    }
    metadata_free(call);
    grpc_call_cancel_with_status(call->call, GRPC_STATUS_INVALID_ARGUMENT, "a header is not valid in HTTP/2", NULL);
    return;
  }
}

RpcClientCall *rpc_client_call(RpcChannel *channel, const char *path, int64_t timeout_ms, bool wait_for_ready,
                               const RpcMetadata *metadata, size_t n_metadata, const RpcClientHandlers *handlers,
                               void *arg) {
  RpcClientCall *call = call_new(channel, path, timeout_ms);
  grpc_op ops[2];
  call->handlers = *handlers;
  call->arg = arg;
  if (wait_for_ready)
    call->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
  if (n_metadata > 0)
    metadata_set(call, metadata, n_metadata);
  call->holds = 2;
  rpc_queue_start(call->queue, call->call, ops, status_ops(call, ops), &call->status_op);
  call->first_op.fn = on_first;
  rpc_queue_post(call->queue, &call->first_op);
  return call;
}

RpcClientCall *rpc_client_unary_with(RpcChannel *channel, const char *path, int64_t timeout_ms,
                                     const RpcMetadata *metadata, size_t n_metadata, const uint8_t *data, size_t len,
                                     void (*fn)(void *arg, const Error *status, const uint8_t *data, size_t len),
                                     void *arg) {
  grpc_slice message = grpc_slice_from_copied_buffer((const char *)data, len);
  RpcClientCall *call = call_new(channel, path, timeout_ms);
  grpc_op ops[6];
  call->unary_fn = fn;
  call->arg = arg;
  if (n_metadata > 0)
    metadata_set(call, metadata, n_metadata);
  grpc_byte_buffer *buffer = rpc_bytes_wrap(message);
  size_t n = status_ops(call, ops);
  ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA,
                       .data.send_initial_metadata = {.metadata = call->metadata, .count = call->n_metadata}};
  ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer};
  ops[n++] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
  ops[n++] = (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->read_buffer};
  call->holds = 1;
  rpc_queue_start(call->queue, call->call, ops, n, &call->status_op);
  grpc_byte_buffer_destroy(buffer);
  return call;
}

RpcClientCall *rpc_client_unary(RpcChannel *channel, const char *path, int64_t timeout_ms, const uint8_t *data,
                                size_t len, void (*fn)(void *arg, const Error *status, const uint8_t *data, size_t len),
                                void *arg) {
  return rpc_client_unary_with(channel, path, timeout_ms, NULL, 0, data, len, fn, arg);
}
