/* One call of the server.
 *
 * Batches under way and the dispatch of a callback each hold the call; it is freed when it has been finished
 * and the last hold is gone, so exactly once, whatever the order in which the client, the deadline and the
 * handler let go of it.
 *
 * One send batch is under way at a time. It takes along what goes together: initial metadata with the first
 * message, the status with the last. A unary call that is answered inside start therefore costs two batches
 * in all (accept with the request; reply with the watch for its end), any other call one more.
 */
#include "lib/rpc/rpc_call.h"

#include <grpc/support/alloc.h>
#include <grpc/support/time.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_alloc.h"
#include "lib/rpc/rpc_bytes.h"
#include "lib/rpc/rpc_status.h"

typedef struct Write {
  struct Write *next;
  grpc_byte_buffer *message;
  size_t len;
  void (*fn)(RpcCall *call, void *arg);
  void *arg;
} Write;

typedef void (*ReadFn)(RpcCall *call, void *arg, const uint8_t *data, size_t len);

struct RpcCall {
  const RpcCallOwner *owner;
  struct Route *route;
  grpc_call *call;
  gpr_timespec deadline;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  bool registered;
  const char *path;
  char *path_copy;
  char *peer;
  Arena *strings;
  int64_t start_us;
  void *data;

  size_t holds;
  RpcOp accept_op, close_op, read_op, send_op;

  grpc_slice request;
  ReadFn read_fn;
  bool reading;
  bool read_failed;
  void *read_arg;
  grpc_byte_buffer *read_buffer;

  Write *first, **last;
  Write *in_flight;
  size_t pending_bytes;
  bool sending;
  bool initial_sent;
  bool status_sent;
  bool broken; /* a batch failed: nothing more can leave */

  bool finished;
  ErrorKind status;
  char *status_message;
  uint8_t *details_bytes;
  size_t details_len;
  bool too_large; /* a message over the limit was queued */

  bool close_watched;
  int cancelled; /* of the C core: set when close_op has run */
  bool cancel_seen;
  void (*cancel_fn)(RpcCall *call, void *arg);
  void *cancel_arg;
};

static void write_free(Write *write) {
  grpc_byte_buffer_destroy(write->message);
  free(write);
}

static void drop_writes(RpcCall *call) {
  while (call->first) {
    Write *write = call->first;
    call->first = write->next;
    call->pending_bytes -= write->len;
    write_free(write);
  }
  call->last = &call->first;
}

static void call_free(RpcCall *call) {
  drop_writes(call);
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

static void release(RpcCall *call) {
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
  RpcCall *call = rpc_alloc(sizeof *call);
  call->owner = owner;
  call->route = route;
  call->registered = handle != NULL;
  call->last = &call->first;
  call->request = grpc_empty_slice();
  call->accept_op.fn = on_accept;
  grpc_call_details_init(&call->details);
  grpc_metadata_array_init(&call->metadata);
  grpc_completion_queue *cq = rpc_queue_cq(owner->queue);
  rpc_queue_expect(owner->queue);
  grpc_call_error rc =
      handle ? grpc_server_request_registered_call(server, handle, &call->call, &call->deadline,
                                                   &call->metadata, &call->payload, cq, cq, &call->accept_op)
             : grpc_server_request_call(server, &call->call, &call->details, &call->metadata, cq, cq,
                                        &call->accept_op);
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

static void on_close(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, close_op);
  if (call->cancelled) {
    call->cancel_seen = true;
    tell_cancelled(call);
  }
  release(call);
}

static grpc_op close_watch(RpcCall *call) {
  call->close_watched = true;
  return (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER,
                   .data.recv_close_on_server.cancelled = &call->cancelled};
}

void rpc_call_run(RpcCall *call, const RpcMethod *method, void *service) {
  call->start_us = clock_mono_us();
  call->holds = 1;
  call->close_op.fn = on_close;
  const uint8_t *data = NULL;
  if (method->kind == RPC_UNARY) {
    call->request = rpc_bytes_take(call->payload);
    call->payload = NULL;
    data = GRPC_SLICE_START_PTR(call->request);
  }
  method->start(call, service, data, GRPC_SLICE_LENGTH(call->request));
  if (!call->close_watched) {
    grpc_op watch = close_watch(call);
    call->holds++;
    rpc_queue_start(call->owner->queue, call->call, &watch, 1, &call->close_op);
  }
  release(call);
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
    release(call);
    return;
  }
  call->read_fn = NULL;
  grpc_slice message = buffer ? rpc_bytes_take(buffer) : grpc_empty_slice();
  if (fn && !call->finished) {
    fn(call, call->read_arg, buffer ? GRPC_SLICE_START_PTR(message) : NULL, GRPC_SLICE_LENGTH(message));
  }
  grpc_slice_unref(message);
  release(call);
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

/* ---- Sending ---- */

static void flush(RpcCall *call);

static void on_sent(RpcOp *op, bool ok) {
  RpcCall *call = RPC_OP_OWNER(op, RpcCall, send_op);
  Write *write = call->in_flight;
  call->in_flight = NULL;
  call->sending = false;
  if (!ok) {
    call->broken = true;
    drop_writes(call);
  }
  if (write) {
    call->pending_bytes -= write->len;
    if (ok && write->fn && !call->finished)
      write->fn(call, write->arg);
    write_free(write);
  }
  flush(call);
  release(call);
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
  ops[1] = close_watch(call);
  call->send_op.fn = on_status_sent;
  return 2;
}

static void flush(RpcCall *call) {
  if (call->sending || call->broken || call->status_sent)
    return;
  Write *write = call->first;
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
  if (write) {
    call->first = write->next;
    if (!call->first)
      call->last = &call->first;
    call->in_flight = write;
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = write->message};
  }
  if (last)
    n += add_status(call, ops + n, &trailer, &message);
  call->sending = true;
  call->holds++;
  rpc_queue_start(call->owner->queue, call->call, ops, n, &call->send_op);
  grpc_slice_unref(trailer.value);
}

static void enqueue(RpcCall *call, grpc_slice message, void (*fn)(RpcCall *, void *), void *arg) {
  size_t len = GRPC_SLICE_LENGTH(message);
  if (len > call->owner->max_message_bytes)
    call->too_large = true;
  if (call->broken || call->too_large || call->finished) {
    grpc_slice_unref(message);
    return;
  }
  Write *write = rpc_alloc(sizeof *write);
  *write = (Write){.message = rpc_bytes_wrap(message), .len = len, .fn = fn, .arg = arg};
  *call->last = write;
  call->last = &write->next;
  call->pending_bytes += len;
}

void rpc_call_write_slice(RpcCall *call, grpc_slice message, void (*fn)(RpcCall *call, void *arg),
                          void *arg) {
  enqueue(call, message, fn, arg);
  flush(call);
}

void rpc_call_write(RpcCall *call, const uint8_t *data, size_t len, void (*fn)(RpcCall *call, void *arg),
                    void *arg) {
  rpc_call_write_slice(call, grpc_slice_from_copied_buffer((const char *)data, len), fn, arg);
}

size_t rpc_call_pending_bytes(const RpcCall *call) {
  return call->pending_bytes;
}

/* ---- Ending ---- */

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
  if (err && err->kind != ERROR_NONE) {
    call->status = err->kind;
    call->status_message = str_dup(err->message);
    if (details_len > 0) {
      call->details_bytes = rpc_alloc(details_len);
      memcpy(call->details_bytes, details, details_len);
      call->details_len = details_len;
    } else {
      call->details_bytes = rpc_status_encode(err, &call->details_len);
    }
  }
  call->holds++;
  flush(call);
  release(call);
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
    return arena_strndup(call->strings, (const char *)GRPC_SLICE_START_PTR(md->value),
                         GRPC_SLICE_LENGTH(md->value));
  }
  return NULL;
}

void rpc_call_set_data(RpcCall *call, void *data) {
  call->data = data;
}
void *rpc_call_data(const RpcCall *call) {
  return call->data;
}
