/* See data_rpc.h.
 *
 * A Pod's address may be another's by now, and its image anybody's: there the runtime must say that it is the sandbox
 * that was meant and lets the call in (ACCEPT) before anything it sends is believed, and within ACCEPT_MS.
 */
#include "services/router/grpc/data_rpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/internal/v1/router.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/loop/stream.h"
#include "lib/resource/resource.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/wire/wire_connect.h"
#include "services/router/access/identity_rpc.h"
#include "services/router/dial.h"
#include "services/router/grpc/runtime_open.h"
#include "services/router/router.h"
#include "services/router/sandbox_store.h"

DEFINE_CLEANUP(Arena *, arena_freep, arena_free)

/* For the connection and ACCEPT: far above what a busy machine needs, so that an image that swallows bytes is told. */
#define ACCEPT_MS 10000

typedef struct DataCall {
  Router *router;
  RpcCall *call;
  Caller caller;
  bool single;
  ResourceName name;
  char *uid;
  /* The first message: the request of a single call, else a copy. */
  const uint8_t *first;
  size_t first_len;
  uint8_t *copy;
  SandboxLookup *lookup;
  Dial *dial;
  Buf open; /* what goes out once dial is through */
  bool is_pod, accepted;
  LoopTimer *timer; /* until it is accepted by a Pod */
  Error why;        /* what to say when the state has no better reason */
  Stream *stream;
  Activity *activity;
  bool read_waits; /* the sandbox is behind: the client's next message is not asked for yet */
} DataCall;

static void count(DataCall *d, int delta) {
  metrics_add(d->router->service->metrics, ROUTER_SANDBOX_CALLS, delta, NULL, NULL, NULL);
}

/* NULL: OK. */
static void finish(DataCall *d, const Error *err) {
  rpc_call_finish(d->call, err);
  count(d, -1);
  sandbox_lookup_cancel(d->lookup);
  dial_free(d->dial);
  loop_timer_free(d->timer);
  buf_deinit(&d->open);
  stream_free(d->stream);
  activity_stop(d->activity, clock_wall_ms());
  caller_release(&d->caller);
  free(d->uid);
  free(d->copy);
  free(d);
}

static void on_cancel(RpcCall *call, void *arg) {
  Error err;
  if (rpc_call_time_left_ms(call) == 0)
    error_set(&err, ERROR_DEADLINE_EXCEEDED, "the deadline has passed");
  else
    error_set(&err, ERROR_CANCELLED, "the client has gone");
  finish(arg, &err);
}

/* ---- From the sandbox to the client ---- */

static void on_ended(void *arg, const SandboxRecord *record, const Error *err) {
  DataCall *d = arg;
  d->lookup = NULL;
  bool runs = err->kind == ERROR_UNAVAILABLE && err->retry_after_ms > 0;
  finish(d, runs && d->why.kind != ERROR_NONE ? &d->why : err);
}

/* The sandbox did not answer, or broke off before its status. */
static void find_out_why(DataCall *d) {
  stream_free(d->stream);
  d->stream = NULL;
  dial_free(d->dial);
  d->dial = NULL;
  loop_timer_free(d->timer);
  d->timer = NULL;
  d->lookup = sandbox_lookup_end(d->router->state, d->router->loop, d->name.ns, d->name.id, d->uid, on_ended, d);
}

static void on_written(RpcCall *call, void *arg) {
  DataCall *d = arg;
  if (d->stream && rpc_call_pending_bytes(call) < STREAM_LOW)
    stream_resume(d->stream);
}

static void fail_malformed(DataCall *d) {
  Error err;
  error_set(&err, ERROR_INTERNAL, "the runtime of sandbox \"%s\" sent a malformed frame", d->name.id);
  finish(d, &err);
}

static void no_runtime(DataCall *d) {
  error_set(&d->why, ERROR_FAILED_PRECONDITION,
            "nothing that takes this call listens on port %d of sandbox \"%s\", a Pod: its image must have Sandplane's "
            "runtime; without it, the sandbox is reached by HTTP alone",
            TARGET_RUNTIME_PORT, d->name.id);
  find_out_why(d);
}

static void not_called_so(DataCall *d) {
  error_set(
      &d->why, ERROR_FAILED_PRECONDITION,
      "what answers at the address of sandbox \"%s\" is not called so: a Pod whose host name is not the sandbox's "
      "name needs the variable SANDPLANE_SANDBOX_NAME",
      d->name.id);
  find_out_why(d);
}

/* The first thing that a Pod sends. Returns what was used, or len once the call goes no further. */
static size_t on_pod_answer(DataCall *d, const uint8_t *data, size_t len) {
  Error status;
  size_t used;
  switch (runtime_first_answer(data, len, &used, &status)) {
  case RUNTIME_MORE:
    return 0;
  case RUNTIME_ACCEPTED:
    d->accepted = true;
    loop_timer_stop(d->timer);
    return used;
  case RUNTIME_ENDED:
    if (status.kind == ERROR_NOT_FOUND)
      not_called_so(d);
    else
      finish(d, status.kind == ERROR_NONE ? NULL : &status);
    break;
  case RUNTIME_STRANGER:
    no_runtime(d);
    break;
  }
  return len;
}

/* The frame behind a message is a status of OK: both can leave as one. */
static bool is_last(const uint8_t *data, size_t len) {
  WireFrame frame;
  Error err;
  size_t used;
  if (wire_parse(data, len, &frame, &used, &err) != 0 || frame.type != WIRE_STATUS)
    return false;
  runtime_status(&frame, &err);
  return err.kind == ERROR_NONE;
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  DataCall *d = arg;
  WireFrame frame;
  Error err;
  size_t used;
  if (d->is_pod && !d->accepted)
    return on_pod_answer(d, data, len);
  int rc = wire_parse(data, len, &frame, &used, &err);
  if (rc == WIRE_MORE)
    return 0;
  if (rc == 0 && frame.type == WIRE_STATUS) {
    runtime_status(&frame, &err);
    finish(d, err.kind == ERROR_NONE ? NULL : &err);
  } else if (rc == 0 && frame.type == WIRE_MESSAGE) {
    rpc_call_write(d->call, frame.payload, frame.len, on_written, d);
    if (is_last(data + used, len - used)) {
      finish(d, NULL);
      return len;
    }
    if (rpc_call_pending_bytes(d->call) >= STREAM_HIGH)
      stream_pause(d->stream);
    return used;
  } else {
    fail_malformed(d);
  }
  return len;
}

static void on_eof(void *arg) {
  DataCall *d = arg;
  if (d->is_pod && !d->accepted)
    no_runtime(d);
  else
    find_out_why(d);
}

static void on_error(void *arg, int errnum) {
  on_eof(arg);
}

/* ---- From the client to the sandbox ---- */

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len);

static void on_drain(void *arg) {
  DataCall *d = arg;
  if (!d->read_waits)
    return;
  d->read_waits = false;
  rpc_call_read(d->call, on_message, d);
}

static const StreamHandlers STREAM_HANDLERS = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_error = on_error};

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  DataCall *d = arg;
  uint8_t header[WIRE_HEADER_LEN];
  if (!d->stream)
    return;
  wire_header(header, data ? WIRE_MESSAGE : WIRE_HALF_CLOSE, len);
  stream_write(d->stream, header, sizeof header);
  if (!data)
    return;
  stream_write(d->stream, data, len);
  if (stream_pending(d->stream) >= STREAM_HIGH)
    d->read_waits = true;
  else
    rpc_call_read(call, on_message, d);
}

/* What the sandbox gets as its parent: the router's span, or with traces off the caller's. NULL: none. */
static const char *parent_of(const RpcCall *call, char out[TRACE_PARENT_SIZE]) {
  const TraceSpan *span = service_span(call);
  TraceContext context;
  if (span)
    trace_parent(span, out);
  else if (trace_context_parse(rpc_call_metadata(call, "traceparent"), &context))
    trace_context_write(&context, out);
  else
    return NULL;
  return out;
}

/* OPEN, the first message and, when it is the only one, the end: in one write. */
static int compose(const DataCall *d, const SandboxRecord *record, Buf *out) {
  int64_t left = rpc_call_time_left_ms(d->call);
  const char *method = strrchr(rpc_call_path(d->call), '/') + 1;
  char parent[TRACE_PARENT_SIZE];
  if (runtime_open(out, method, record, 0,
                   left == INT64_MAX ? 0
                   : left > 0        ? left
                                     : 1,
                   parent_of(d->call, parent)) != 0 ||
      wire_append(out, WIRE_MESSAGE, d->first, d->first_len) != 0)
    return -1;
  return d->single ? wire_append(out, WIRE_HALF_CLOSE, NULL, 0) : 0;
}

/* The runtime is reached: OPEN and the first message go out. */
static void begin(DataCall *d, int fd, const Buf *out) {
  d->stream = stream_new(d->router->loop, fd, WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD, &STREAM_HANDLERS, d);
  stream_write(d->stream, out->data, out->len);
  if (!d->single)
    rpc_call_read(d->call, on_message, d);
}

static void on_dialled(void *arg, int fd) {
  DataCall *d = arg;
  d->dial = NULL;
  if (fd < 0 && errno == ECONNREFUSED) {
    no_runtime(d);
  } else if (fd < 0) {
    find_out_why(d);
  } else {
    begin(d, fd, &d->open);
    buf_deinit(&d->open);
  }
}

static void on_silence(void *arg) {
  DataCall *d = arg;
  if (d->stream)
    no_runtime(d);
  else
    find_out_why(d);
}

static void dial_pod(DataCall *d, const char *route) {
  d->timer = loop_timer_new(d->router->loop, on_silence, d);
  loop_timer_start(d->timer, ACCEPT_MS);
  d->dial =
      dial_new(d->router->loop, route, TARGET_RUNTIME_PORT, d->router->config->allow_loopback_pod_ip, on_dialled, d);
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  DataCall *d = arg;
  Error why;
  CLEANUP(buf_deinit) Buf out = {0};
  d->lookup = NULL;
  if (err) {
    finish(d, err);
    return;
  }
  d->uid = str_dup(record->uid);
  d->is_pod = dial_is_pod(record->route);
  if (!*d->uid) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" was not claimed: it is reached by HTTP alone",
              d->name.id);
    finish(d, &why);
    return;
  }
  if (compose(d, record, &out) != 0) {
    error_set(&why, ERROR_RESOURCE_EXHAUSTED, "the message is larger than %d bytes", WIRE_MAX_PAYLOAD);
    finish(d, &why);
    return;
  }
  int fd = d->is_pod ? -1 : wire_connect(record->route, &why);
  if (!d->is_pod && fd < 0) {
    find_out_why(d);
    return;
  }
  d->activity = activity_start(d->router->state, d->router->loop, record, true, clock_wall_ms());
  if (!d->is_pod) {
    begin(d, fd, &out);
    return;
  }
  d->open = out;
  out = (Buf){0};
  dial_pod(d, record->route);
}

/* ---- The first message ---- */

static int read_name(const uint8_t *data, size_t len, bool single, ResourceName *ret_name, Error *err) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  const Sandplane__Internal__V1__Addressed *addressed;
  if (single) {
    addressed = rpc_pb_unpack(&sandplane__internal__v1__addressed__descriptor, arena, data, len, err);
    if (!addressed)
      return -1;
    return resource_name_parse(addressed->name, "sandboxes", "name", ret_name, err);
  }
  const Sandplane__Internal__V1__AddressedStart *message =
      rpc_pb_unpack(&sandplane__internal__v1__addressed_start__descriptor, arena, data, len, err);
  if (!message)
    return -1;
  if (!message->start)
    return error_field(err, "start", "the first message must be start");
  return resource_name_parse(message->start->name, "sandboxes", "start.name", ret_name, err);
}

/* False: the call is finished. */
static bool look_up(DataCall *d) {
  Error err;
  const AuthzPrincipal *who = d->caller.who;
  if (read_name(d->first, d->first_len, d->single, &d->name, &err) != 0 ||
      authz_check_namespace(who, d->name.ns, &err) != 0) {
    finish(d, &err);
    return false;
  }
  TargetPass pass = {0};
  if (who && who->role != AUTHZ_ADMIN)
    snprintf(pass.owner, sizeof pass.owner, "%s", who->tenant);
  d->lookup = sandbox_lookup(d->router->state, d->router->loop, d->name.ns, d->name.id, &pass, on_record, d);
  return true;
}

/* NULL: the caller may not, and the call is finished. */
static DataCall *data_call_new(RpcCall *call, void *router, bool single) {
  Caller caller;
  Error err = {0};
  if (identity_rpc_check(router, call, &caller, &err) != 0) {
    rpc_call_finish(call, &err);
    return NULL;
  }
  DataCall *d = new0(DataCall);
  d->router = router;
  d->call = call;
  d->caller = caller;
  d->single = single;
  count(d, 1);
  return d;
}

void data_rpc_single(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  DataCall *d = data_call_new(call, router, true);
  if (!d)
    return;
  d->first = data;
  d->first_len = len;
  if (look_up(d))
    rpc_call_on_cancel(call, on_cancel, d);
}

static void on_first(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  DataCall *d = arg;
  Error err;
  if (!data) {
    error_field(&err, "start", "the first message must be start");
    finish(d, &err);
    return;
  }
  d->copy = xmalloc(len ? len : 1);
  memcpy(d->copy, data, len);
  d->first = d->copy;
  d->first_len = len;
  look_up(d);
}

void data_rpc_stream(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  DataCall *d = data_call_new(call, router, false);
  if (!d)
    return;
  rpc_call_read(call, on_first, d);
  rpc_call_on_cancel(call, on_cancel, d);
}
