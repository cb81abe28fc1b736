/* The life of a call on the C core, and what it receives. Batches under way hold the call (rpc_call.c). */
#include "lib/rpc/rpc_core_call.h"

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/rpc/rpc_bytes.h"
#include "lib/rpc/rpc_core_impl.h"

static void core_free(RpcCall *call) {
  RpcCoreCall *c = rpc_core_of(call);
  rpc_writes_drop(&c->writes);
  if (c->core)
    grpc_call_unref(c->core);
  grpc_call_details_destroy(&c->details);
  grpc_metadata_array_destroy(&c->metadata);
  if (c->payload)
    grpc_byte_buffer_destroy(c->payload);
  grpc_slice_unref(c->request);
  arena_free(c->strings);
  gpr_free(c->peer);
  free(c->path_copy);
  free(c);
}

/* ---- Receiving ---- */

static void on_close(RpcOp *op, bool ok) {
  RpcCoreCall *c = RPC_OP_OWNER(op, RpcCoreCall, close_op);
  if (c->cancelled)
    rpc_call_tell_cancelled(&c->call);
  rpc_call_release(&c->call);
}

grpc_op rpc_core_close_watch(RpcCoreCall *c) {
  c->close_watched = true;
  return (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &c->cancelled};
}

static void on_read(RpcOp *op, bool ok) {
  RpcCoreCall *c = RPC_OP_OWNER(op, RpcCoreCall, read_op);
  grpc_byte_buffer *buffer = c->read_buffer;
  c->read_buffer = NULL;
  if (buffer) {
    grpc_slice message = rpc_bytes_take(buffer);
    rpc_call_tell_message(&c->call, GRPC_SLICE_START_PTR(message), GRPC_SLICE_LENGTH(message));
    grpc_slice_unref(message);
  } else {
    rpc_call_tell_no_message(&c->call, ok && !grpc_call_failed_before_recv_message(c->core));
  }
  rpc_call_release(&c->call);
}

static void core_read(RpcCall *call) {
  RpcCoreCall *c = rpc_core_of(call);
  c->read_op.fn = on_read;
  rpc_call_hold(call);
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &c->read_buffer};
  rpc_queue_start(c->owner->queue, c->core, &op, 1, &c->read_op);
}

/* ---- What a handler may ask ---- */

static int64_t core_time_left_ms(const RpcCall *call) {
  const RpcCoreCall *c = rpc_core_of((RpcCall *)call);
  gpr_timespec inf = gpr_inf_future(c->deadline.clock_type);
  if (gpr_time_cmp(c->deadline, inf) == 0)
    return INT64_MAX;
  gpr_timespec left = gpr_time_sub(c->deadline, gpr_now(c->deadline.clock_type));
  int64_t ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
  return ms > 0 ? ms : 0;
}

static const char *core_peer(RpcCall *call) {
  RpcCoreCall *c = rpc_core_of(call);
  if (!c->peer)
    c->peer = grpc_call_get_peer(c->core);
  return c->peer;
}

static const char *core_metadata(RpcCall *call, const char *key) {
  RpcCoreCall *c = rpc_core_of(call);
  for (size_t i = 0; i < c->metadata.count; i++) {
    const grpc_metadata *md = &c->metadata.metadata[i];
    if (grpc_slice_str_cmp(md->key, key))
      continue;
    if (!c->strings)
      c->strings = arena_new();
    return arena_strndup(c->strings, (const char *)GRPC_SLICE_START_PTR(md->value), GRPC_SLICE_LENGTH(md->value));
  }
  return NULL;
}

static const RpcCarrier CORE = {
    .read = core_read,
    .write = rpc_core_write,
    .pending = rpc_core_pending,
    .finish = rpc_core_finish,
    .time_left_ms = core_time_left_ms,
    .peer = core_peer,
    .metadata = core_metadata,
    .free = core_free,
};

/* ---- Accepting ---- */

static void on_accept(RpcOp *op, bool ok) {
  RpcCoreCall *c = RPC_OP_OWNER(op, RpcCoreCall, accept_op);
  if (ok && !c->registered) {
    c->path_copy = rpc_bytes_string(c->details.method);
    rpc_call_set_path(&c->call, c->path_copy);
    c->deadline = c->details.deadline;
  }
  c->owner->on_accept(c->owner->calls.arg, &c->call, c->call.route, ok);
}

void rpc_core_call_request(const RpcCoreOwner *owner, grpc_server *server, void *handle, struct Route *route) {
  RpcCoreCall *c = new0(RpcCoreCall);
  rpc_call_init(&c->call, &CORE, &owner->calls, route);
  c->owner = owner;
  c->registered = handle != NULL;
  rpc_writes_init(&c->writes);
  c->request = grpc_empty_slice();
  c->accept_op.fn = on_accept;
  grpc_call_details_init(&c->details);
  grpc_metadata_array_init(&c->metadata);
  grpc_completion_queue *cq = rpc_queue_cq(owner->queue);
  rpc_queue_expect(owner->queue);
  grpc_call_error rc =
      handle ? grpc_server_request_registered_call(server, handle, &c->core, &c->deadline, &c->metadata, &c->payload,
                                                   cq, cq, &c->accept_op)
             : grpc_server_request_call(server, &c->core, &c->details, &c->metadata, cq, cq, &c->accept_op);
  if (rc != GRPC_CALL_OK)
    abort();
}

bool rpc_core_call_has_request(const RpcCall *call) {
  return rpc_core_of((RpcCall *)call)->payload != NULL;
}

void rpc_core_call_discard(RpcCall *call) {
  rpc_call_drop(call);
}

void rpc_core_call_run(RpcCall *call, const RpcMethod *method, void *service) {
  RpcCoreCall *c = rpc_core_of(call);
  rpc_call_begin(call);
  c->close_op.fn = on_close;
  const uint8_t *data = NULL;
  if (method->kind == RPC_UNARY) {
    c->request = rpc_bytes_take(c->payload);
    c->payload = NULL;
    data = GRPC_SLICE_START_PTR(c->request);
  }
  method->start(call, service, data, GRPC_SLICE_LENGTH(c->request));
  if (!c->close_watched) {
    grpc_op watch = rpc_core_close_watch(c);
    rpc_call_hold(call);
    rpc_queue_start(c->owner->queue, c->core, &watch, 1, &c->close_op);
  }
  rpc_call_release(call);
}
