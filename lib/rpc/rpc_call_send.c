/* What a call sends.
 *
 * One send batch is under way at a time. It takes along what goes together: initial metadata with the first
 * message, the status with the last. A unary call that is answered inside start therefore costs two batches
 * in all (accept with the request; reply with the watch for its end), any other call one more.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_bytes.h"
#include "lib/rpc/rpc_call_impl.h"
#include "lib/rpc/rpc_status.h"

static void flush(RpcCall *call);

static void on_sent(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, send_op);
  RpcWrite *write = rpc_writes_sent(&call->writes);
  call->sending = false;
  if (!ok) {
    call->broken = true;
    rpc_writes_drop(&call->writes);
  }
  if (write && ok && write->fn && !call->finished)
    write->fn(call, write->arg);
  rpc_write_free(write);
  flush(call);
  rpc_call_release(call);
}

/* The watch for the call's end may come with the status, and then has its answer in the same batch. */
static void on_status_sent(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, send_op);
  call->cancel_seen = call->cancelled;
  on_sent(op, ok);
}

static size_t add_status(RpcCall *call, grpc_op *ops, grpc_metadata *trailer, grpc_slice *message) {
  ops[0] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
  ops[0].data.send_status_from_server.status = (grpc_status_code)call->status;
  if (call->status_message) {
    *message = grpc_slice_from_static_string(call->status_message);
    ops[0].data.send_status_from_server.status_details = message;
  }
  if (call->details_len > 0) {
    trailer->key = grpc_slice_from_static_string(RPC_STATUS_DETAILS_KEY);
    trailer->value = grpc_slice_from_copied_buffer((const char *)call->details_bytes, call->details_len);
    ops[0].data.send_status_from_server.trailing_metadata_count = 1;
    ops[0].data.send_status_from_server.trailing_metadata = trailer;
  }
  call->status_sent = true;
  if (call->close_watched)
    return 1;
  ops[1] = rpc_call_close_watch(call);
  call->send_op.fn = on_status_sent;
  return 2;
}

static void flush(RpcCall *call) {
  if (call->sending || call->broken || call->status_sent)
    return;
  const RpcWrite *write = call->writes.first;
  bool last = call->finished && (!write || !write->next);
  if (!write && !last)
    return;

  grpc_op ops[4];
  size_t n = 0;
  grpc_metadata trailer = {.value = grpc_empty_slice()};
  grpc_slice message;
  call->send_op.fn = on_sent;
  if (!call->initial_sent)
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
  call->initial_sent = true;
  if (write)
    ops[n++] = rpc_writes_start(&call->writes);
  if (last)
    n += add_status(call, ops + n, &trailer, &message);
  call->sending = true;
  call->holds++;
  rpc_queue_start(call->owner->queue, call->call, ops, n, &call->send_op);
  grpc_slice_unref(trailer.value);
}

static void enqueue(RpcCall *call, grpc_slice message, void (*fn)(RpcCall *, void *), void *arg) {
  if (GRPC_SLICE_LENGTH(message) > call->owner->max_message_bytes)
    call->too_large = true;
  if (call->broken || call->too_large || call->finished) {
    grpc_slice_unref(message);
    return;
  }
  RpcWrite *write = rpc_writes_add(&call->writes, message);
  write->fn = fn;
  write->arg = arg;
}

void rpc_call_write_slice(RpcCall *call, grpc_slice message, void (*fn)(RpcCall *call, void *arg), void *arg) {
  enqueue(call, message, fn, arg);
  flush(call);
}

void rpc_call_write(RpcCall *call, const uint8_t *data, size_t len, void (*fn)(RpcCall *call, void *arg), void *arg) {
  rpc_call_write_slice(call, grpc_slice_from_copied_buffer((const char *)data, len), fn, arg);
}

size_t rpc_call_pending_bytes(const RpcCall *call) {
  return call->writes.bytes;
}

/* ---- Ending ---- */

/* Whether the message says by itself which field it is about. */
static bool names_field(const Error *err) {
  size_t len = strlen(err->field);
  if (strncmp(err->message, err->field, len) != 0)
    return false;
  char next = err->message[len];
  return !isalnum((unsigned char)next) && !strchr("_.[", next ? next : ' ');
}

static void set_status(RpcCall *call, const Error *err, const uint8_t *details, size_t details_len) {
  call->status = err->kind;
  if (details_len > 0) {
    call->status_message = str_dup(err->message);
    call->details_bytes = xcalloc(1, details_len);
    memcpy(call->details_bytes, details, details_len);
    call->details_len = details_len;
    return;
  }
  Error told = *err;
  /* many clients print the message alone; of what is exhausted the field is no part of the request */
  if (err->kind != ERROR_RESOURCE_EXHAUSTED && err->field[0] && !names_field(err))
    error_prefix(&told, "%s", err->field);
  call->status_message = str_dup(told.message);
  call->details_bytes = rpc_status_encode(&told, &call->details_len);
}

static void finish(RpcCall *call, const Error *err, const uint8_t *details, size_t details_len) {
  if (call->finished)
    abort();
  Error too_large;
  if (call->too_large) {
    error_set(&too_large, ERROR_RESOURCE_EXHAUSTED, "the answer is larger than %zu bytes",
              call->owner->max_message_bytes);
    err = &too_large;
    details_len = 0;
  }
  call->finished = true;
  if (!call->ended && err && err->kind != ERROR_NONE)
    set_status(call, err, details, details_len);
  call->holds++;
  flush(call);
  rpc_call_release(call);
}

void rpc_call_finish(RpcCall *call, const Error *err) {
  finish(call, err, NULL, 0);
}

void rpc_call_finish_details(RpcCall *call, const Error *err, const uint8_t *details, size_t details_len) {
  finish(call, err, details, details_len);
}

void rpc_call_reply_slice(RpcCall *call, grpc_slice message) {
  enqueue(call, message, NULL, NULL);
  rpc_call_finish(call, NULL);
}

void rpc_call_reply(RpcCall *call, const uint8_t *data, size_t len) {
  rpc_call_reply_slice(call, grpc_slice_from_copied_buffer((const char *)data, len));
}
