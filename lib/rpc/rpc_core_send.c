/* What a call sends through the C core.
 *
 * One send batch is under way at a time. It takes along what goes together: initial metadata with the first
 * message, the status with the last. A unary call that is answered inside start therefore costs two batches
 * in all (accept with the request; reply with the watch for its end), any other call one more.
 */
#include <stdlib.h>

#include "lib/rpc/rpc_core_impl.h"
#include "lib/rpc/rpc_status.h"

static void flush(RpcCoreCall *c);

static void on_sent(RpcOp *op, bool ok) {
  RpcCoreCall *c = RPC_OP_OWNER(op, RpcCoreCall, send_op);
  RpcWrite *write = rpc_writes_sent(&c->writes);
  c->sending = false;
  if (!ok) {
    c->broken = true;
    rpc_writes_drop(&c->writes);
  }
  if (write && ok && write->fn && !c->call.finished)
    write->fn(&c->call, write->arg);
  rpc_write_free(write);
  flush(c);
  rpc_call_release(&c->call);
}

/* The watch for the call's end may come with the status, and then has its answer in the same batch. */
static void on_status_sent(RpcOp *op, bool ok) {
  RpcCoreCall *c = RPC_OP_OWNER(op, RpcCoreCall, send_op);
  c->call.cancel_seen = c->cancelled;
  on_sent(op, ok);
}

static size_t add_status(RpcCoreCall *c, grpc_op *ops, grpc_metadata *trailer, grpc_slice *message) {
  const RpcCall *call = &c->call;
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
  c->status_sent = true;
  if (c->close_watched)
    return 1;
  ops[1] = rpc_core_close_watch(c);
  c->send_op.fn = on_status_sent;
  return 2;
}

static void flush(RpcCoreCall *c) {
  if (c->sending || c->broken || c->status_sent)
    return;
  const RpcWrite *write = c->writes.first;
  bool last = c->call.finished && (!write || !write->next);
  if (!write && !last)
    return;

  grpc_op ops[4];
  size_t n = 0;
  grpc_metadata trailer = {.value = grpc_empty_slice()};
  grpc_slice message;
  c->send_op.fn = on_sent;
  if (!c->initial_sent)
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
  c->initial_sent = true;
  if (write)
    ops[n++] = rpc_writes_start(&c->writes);
  if (last)
    n += add_status(c, ops + n, &trailer, &message);
  c->sending = true;
  rpc_call_hold(&c->call);
  rpc_queue_start(c->owner->queue, c->core, ops, n, &c->send_op);
  grpc_slice_unref(trailer.value);
}

void rpc_core_write(RpcCall *call, grpc_slice message, bool last, RpcWrittenFn fn, void *arg) {
  RpcCoreCall *c = rpc_core_of(call);
  if (c->broken) {
    grpc_slice_unref(message);
    return;
  }
  RpcWrite *write = rpc_writes_add(&c->writes, message);
  write->fn = fn;
  write->arg = arg;
  if (!last)
    flush(c);
}

void rpc_core_finish(RpcCall *call) {
  flush(rpc_core_of(call));
}

size_t rpc_core_pending(const RpcCall *call) {
  return rpc_core_of((RpcCall *)call)->writes.bytes;
}
