/* The life of a call, and what it receives.
 *
 * Batches under way and the dispatch of a callback each hold the call; it is freed when it has been finished
 * and the last hold is gone, so exactly once, whatever the order in which the client, the deadline and the
 * handler let go of it.
 */
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_bytes.h"
#include "lib/rpc/rpc_call_impl.h"
#include "lib/rpc/rpc_status.h"

static void call_free(RpcCall *call) {
  list_remove(&call->live);
  rpc_writes_drop(&call->writes);
  if (call->call)
    grpc_call_unref(call->call);
  grpc_call_details_destroy(&call->details);
  grpc_metadata_array_destroy(&call->metadata);
  if (call->payload)
    grpc_byte_buffer_destroy(call->payload);
  grpc_slice_unref(call->request);
  arena_free(call->strings);
  gpr_free(call->peer);
  free(call->path_copy);
  free(call->status_message);
  free(call->details_bytes);
  free(call);
}

void rpc_call_release(RpcCall *call) {
  if (--call->holds > 0 || !call->finished)
    return;
  ErrorKind status = call->cancel_seen ? ERROR_CANCELLED : call->status;
  call->owner->on_end(call->owner->arg, call, call->route, status, clock_mono_us() - call->start_us);
  call_free(call);
}

/* ---- Accepting ---- */

static void on_accept(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, accept_op);
  if (ok && !call->registered) {
    call->path = call->path_copy = rpc_bytes_string(call->details.method);
    call->deadline = call->details.deadline;
  }
  call->owner->on_accept(call->owner->arg, call, call->route, ok);
}

void rpc_call_request(const RpcCallOwner *owner, grpc_server *server, void *handle, struct Route *route) {
  RpcCall *call = new0(RpcCall);
  call->owner = owner;
  call->route = route;
  call->registered = handle != NULL;
  rpc_writes_init(&call->writes);
  call->request = grpc_empty_slice();
  call->accept_op.fn = on_accept;
  grpc_call_details_init(&call->details);
  grpc_metadata_array_init(&call->metadata);
  grpc_completion_queue *cq = rpc_queue_cq(owner->queue);
  rpc_queue_expect(owner->queue);
  grpc_call_error rc =
      handle ? grpc_server_request_registered_call(server, handle, &call->call, &call->deadline, &call->metadata,
                                                   &call->payload, cq, cq, &call->accept_op)
             : grpc_server_request_call(server, &call->call, &call->details, &call->metadata, cq, cq, &call->accept_op);
  if (rc != GRPC_CALL_OK)
    abort();
}

bool rpc_call_has_request(const RpcCall *call) {
  return call->payload != NULL;
}

void rpc_call_discard(RpcCall *call) {
  call_free(call);
}

void rpc_call_set_path(RpcCall *call, const char *path) {
  call->path = path;
}
void rpc_call_set_route(RpcCall *call, struct Route *route) {
  call->route = route;
}

/* A client that vanishes must not look like one that half-closed, or half of an upload would be taken for the
 * whole. So a read that failed waits for the word of the close watch, and on_cancel goes first. */
static void tell_cancelled(RpcCall *call) {
  void (*cancel_fn)(RpcCall *, void *) = call->cancel_fn;
  ReadFn read_fn = call->read_failed ? call->read_fn : NULL;
  call->cancel_fn = NULL;
  call->read_fn = NULL;
  if (call->finished)
    return;
  if (cancel_fn) {
    cancel_fn(call, call->cancel_arg);
  } else if (read_fn) {
    read_fn(call, call->read_arg, NULL, 0);
  }
}

void rpc_call_end_all(const RpcCallOwner *owner, const Error *why) {
  List ending = LIST_INIT(ending);
  ListLink *first;
  /* what one handler does may end other calls: each is looked for anew */
  while ((first = list_first(owner->live))) {
    RpcCall *call = CONTAINER_OF(first, RpcCall, live);
    list_remove(first);
    list_append(&ending, first);
    /* who is not told may be about to succeed */
    if (call->finished || !call->cancel_fn)
      continue;
    call->ended = true;
    call->status = why->kind;
    call->status_message = str_dup(why->message);
    call->details_bytes = rpc_status_encode(why, &call->details_len);
    call->cancel_seen = true;
    tell_cancelled(call);
  }
  while ((first = list_first(&ending)))
    list_remove(first);
}

static void on_close(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, close_op);
  if (call->cancelled) {
    call->cancel_seen = true;
    tell_cancelled(call);
  }
  rpc_call_release(call);
}

grpc_op rpc_call_close_watch(RpcCall *call) {
  call->close_watched = true;
  return (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled};
}

void rpc_call_run(RpcCall *call, const RpcMethod *method, void *service) {
  call->start_us = clock_mono_us();
  call->holds = 1;
  list_append(call->owner->live, &call->live);
  call->close_op.fn = on_close;
  const uint8_t *data = NULL;
  if (method->kind == RPC_UNARY) {
    call->request = rpc_bytes_take(call->payload);
    call->payload = NULL;
    data = GRPC_SLICE_START_PTR(call->request);
  }
  method->start(call, service, data, GRPC_SLICE_LENGTH(call->request));
  if (!call->close_watched) {
    grpc_op watch = rpc_call_close_watch(call);
    call->holds++;
    rpc_queue_start(call->owner->queue, call->call, &watch, 1, &call->close_op);
  }
  rpc_call_release(call);
}

/* ---- Receiving ---- */

static void on_read(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, read_op);
  grpc_byte_buffer *buffer = call->read_buffer;
  call->read_buffer = NULL;
  call->reading = false;
  ReadFn fn = call->read_fn;
  if (!buffer && (!ok || grpc_call_failed_before_recv_message(call->call))) {
    call->read_failed = true;
    if (call->cancel_seen)
      tell_cancelled(call);
    rpc_call_release(call);
    return;
  }
  call->read_fn = NULL;
  grpc_slice message = buffer ? rpc_bytes_take(buffer) : grpc_empty_slice();
  if (fn && !call->finished) {
    fn(call, call->read_arg, buffer ? GRPC_SLICE_START_PTR(message) : NULL, GRPC_SLICE_LENGTH(message));
  }
  grpc_slice_unref(message);
  rpc_call_release(call);
}

void rpc_call_read(RpcCall *call, ReadFn fn, void *arg) {
  if (call->reading || call->finished)
    abort();
  call->reading = true;
  call->read_fn = fn;
  call->read_arg = arg;
  call->read_op.fn = on_read;
  call->holds++;
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->read_buffer};
  rpc_queue_start(call->owner->queue, call->call, &op, 1, &call->read_op);
}

void rpc_call_on_cancel(RpcCall *call, void (*fn)(RpcCall *call, void *arg), void *arg) {
  if (call->cancel_seen && !call->finished) {
    if (fn)
      fn(call, arg);
    return;
  }
  call->cancel_fn = fn;
  call->cancel_arg = arg;
}

/* ---- What a handler may ask ---- */

int64_t rpc_call_time_left_ms(const RpcCall *call) {
  gpr_timespec inf = gpr_inf_future(call->deadline.clock_type);
  if (gpr_time_cmp(call->deadline, inf) == 0)
    return INT64_MAX;
  gpr_timespec left = gpr_time_sub(call->deadline, gpr_now(call->deadline.clock_type));
  int64_t ms = left.tv_sec * 1000 + left.tv_nsec / 1000000;
  return ms > 0 ? ms : 0;
}

bool rpc_call_cancelled(const RpcCall *call) {
  return call->cancel_seen;
}

const char *rpc_call_path(const RpcCall *call) {
  return call->path;
}

const char *rpc_call_peer(const RpcCall *call) {
  RpcCall *mutable_call = (RpcCall *)call;
  if (!call->peer)
    mutable_call->peer = grpc_call_get_peer(call->call);
  return call->peer;
}

const char *rpc_call_metadata(const RpcCall *call, const char *key) {
  RpcCall *mutable_call = (RpcCall *)call;
  for (size_t i = 0; i < call->metadata.count; i++) {
    const grpc_metadata *md = &call->metadata.metadata[i];
    if (grpc_slice_str_cmp(md->key, key))
      continue;
    if (!call->strings)
      mutable_call->strings = arena_new();
    return arena_strndup(call->strings, (const char *)GRPC_SLICE_START_PTR(md->value), GRPC_SLICE_LENGTH(md->value));
  }
  return NULL;
}

void rpc_call_set_observer(RpcCall *call, void *observer) {
  call->observer = observer;
}

void *rpc_call_observer(const RpcCall *call) {
  return call->observer;
}

void rpc_call_set_data(RpcCall *call, void *data) {
  call->data = data;
}
void *rpc_call_data(const RpcCall *call) {
  return call->data;
}
