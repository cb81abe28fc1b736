/* What a call is, whatever carries it: its life, what its handler is told and when, and how it ends.
 *
 * What is under way and the dispatch of a callback each hold the call; it is freed when it has been finished and the
 * last hold is gone, so exactly once, whatever the order in which the client, the deadline and the handler let go of
 * it.
 */
#include "lib/rpc/rpc_call.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_call_impl.h"
#include "lib/rpc/rpc_status.h"

void rpc_call_init(RpcCall *call, const RpcCarrier *carrier, const RpcCallOwner *owner, struct Route *route) {
  *call = (RpcCall){.carrier = carrier, .owner = owner, .route = route};
}

void rpc_call_drop(RpcCall *call) {
  list_remove(&call->live);
  free(call->status_message);
  free(call->details_bytes);
  call->carrier->free(call);
}

void rpc_call_hold(RpcCall *call) {
  call->holds++;
}

void rpc_call_release(RpcCall *call) {
  if (--call->holds > 0 || !call->finished)
    return;
  ErrorKind status = call->cancel_seen ? ERROR_CANCELLED : call->status;
  call->owner->on_end(call->owner->arg, call, call->route, status, clock_mono_us() - call->start_us);
  rpc_call_drop(call);
}

void rpc_call_begin(RpcCall *call) {
  call->start_us = clock_mono_us();
  rpc_call_hold(call);
  list_append(call->owner->live, &call->live);
}

void rpc_call_set_path(RpcCall *call, const char *path) {
  call->path = path;
}
void rpc_call_set_route(RpcCall *call, struct Route *route) {
  call->route = route;
}

/* ---- Receiving ---- */

/* A client that vanishes must not look like one that half-closed, or half of an upload would be taken for the
 * whole. So a read that failed waits for the word that it has gone, and on_cancel goes first. */
void rpc_call_tell_cancelled(RpcCall *call) {
  void (*cancel_fn)(RpcCall *, void *) = call->cancel_fn;
  RpcReadFn read_fn = call->read_failed ? call->read_fn : NULL;
  call->cancel_seen = true;
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

static void tell(RpcCall *call, const uint8_t *data, size_t len) {
  RpcReadFn fn = call->read_fn;
  call->reading = false;
  call->read_fn = NULL;
  if (fn && !call->finished)
    fn(call, call->read_arg, data, len);
}

void rpc_call_tell_message(RpcCall *call, const uint8_t *data, size_t len) {
  tell(call, data, len);
}

void rpc_call_tell_no_message(RpcCall *call, bool half_closed) {
  if (half_closed) {
    tell(call, NULL, 0);
    return;
  }
  call->reading = false;
  call->read_failed = true;
  if (call->cancel_seen)
    rpc_call_tell_cancelled(call);
}

void rpc_call_read(RpcCall *call, RpcReadFn fn, void *arg) {
  if (call->reading || call->finished)
    abort();
  call->reading = true;
  call->read_fn = fn;
  call->read_arg = arg;
  call->carrier->read(call);
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

/* ---- Sending ---- */

static bool may_leave(RpcCall *call, grpc_slice message) {
  if (GRPC_SLICE_LENGTH(message) > call->owner->max_message_bytes)
    call->too_large = true;
  if (!call->too_large && !call->finished)
    return true;
  grpc_slice_unref(message);
  return false;
}

void rpc_call_write_slice(RpcCall *call, grpc_slice message, RpcWrittenFn fn, void *arg) {
  if (may_leave(call, message))
    call->carrier->write(call, message, false, fn, arg);
}

void rpc_call_write(RpcCall *call, const uint8_t *data, size_t len, void (*fn)(RpcCall *call, void *arg), void *arg) {
  rpc_call_write_slice(call, grpc_slice_from_copied_buffer((const char *)data, len), fn, arg);
}

size_t rpc_call_pending_bytes(const RpcCall *call) {
  return call->carrier->pending(call);
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
  rpc_call_hold(call);
  call->carrier->finish(call);
  rpc_call_release(call);
}

void rpc_call_finish(RpcCall *call, const Error *err) {
  finish(call, err, NULL, 0);
}

void rpc_call_finish_details(RpcCall *call, const Error *err, const uint8_t *details, size_t details_len) {
  finish(call, err, details, details_len);
}

void rpc_call_reply_slice(RpcCall *call, grpc_slice message) {
  if (may_leave(call, message))
    call->carrier->write(call, message, true, NULL, NULL);
  rpc_call_finish(call, NULL);
}

void rpc_call_reply(RpcCall *call, const uint8_t *data, size_t len) {
  rpc_call_reply_slice(call, grpc_slice_from_copied_buffer((const char *)data, len));
}

void rpc_call_end(RpcCall *call, const Error *why) {
  if (call->finished || call->ended)
    return;
  call->ended = true;
  call->status = why->kind;
  call->status_message = str_dup(why->message);
  call->details_bytes = rpc_status_encode(why, &call->details_len);
  rpc_call_tell_cancelled(call);
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
    if (call->cancel_fn)
      rpc_call_end(call, why);
  }
  while ((first = list_first(&ending)))
    list_remove(first);
}

/* ---- What a handler may ask ---- */

int64_t rpc_call_time_left_ms(const RpcCall *call) {
  return call->carrier->time_left_ms(call);
}

bool rpc_call_cancelled(const RpcCall *call) {
  return call->cancel_seen;
}

const char *rpc_call_path(const RpcCall *call) {
  return call->path;
}

const char *rpc_call_peer(const RpcCall *call) {
  return call->carrier->peer((RpcCall *)call);
}

const char *rpc_call_metadata(const RpcCall *call, const char *key) {
  return call->carrier->metadata((RpcCall *)call, key);
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
