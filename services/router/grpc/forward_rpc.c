/* See forward_rpc.h. */
#include "services/router/grpc/forward_rpc.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/loop/stream.h"
#include "services/router/access/identity_rpc.h"
#include "services/router/backend/backend.h"
#include "services/router/router.h"

#define AUTHORIZATION "authorization"

/* Request headers that mean something behind the router: who asks, and how the call is traced. */
static const char *const PASSED[] = {AUTHORIZATION, "traceparent", "tracestate", "x-request-id"};

/* When the service behind is away: about a restart, as lib/redis says of the state store. */
#define RETRY_AFTER_MS 500

typedef struct ForwardCall {
  RpcCall *call;
  BackendCall *behind;
  bool single;
  Buf answer; /* of a single call, until its status is there */
  bool answered;
  bool client_waits, behind_waits; /* a message of that side is not asked for: the other one is behind */
} ForwardCall;

static void on_client_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  ForwardCall *f = arg;
  if (!data) {
    backend_half_close(f->behind);
    return;
  }
  backend_write(f->behind, data, len);
  f->client_waits = backend_is_full(f->behind);
  if (!f->client_waits)
    rpc_call_read(call, on_client_message, f);
}

static void on_behind_drain(BackendCall *behind, void *arg) {
  ForwardCall *f = arg;
  if (!f->client_waits)
    return;
  f->client_waits = false;
  rpc_call_read(f->call, on_client_message, f);
}

static void on_client_written(RpcCall *call, void *arg) {
  ForwardCall *f = arg;
  if (!f->behind_waits || rpc_call_pending_bytes(call) >= STREAM_LOW)
    return;
  f->behind_waits = false;
  backend_read(f->behind);
}

static void on_behind_message(BackendCall *behind, void *arg, const uint8_t *data, size_t len) {
  ForwardCall *f = arg;
  if (f->single) {
    /* fits: messages are bounded far below */
    if (buf_append(&f->answer, data, len) != 0)
      abort();
    f->answered = true;
    return;
  }
  rpc_call_write(f->call, data, len, on_client_written, f);
  f->behind_waits = rpc_call_pending_bytes(f->call) >= STREAM_HIGH;
  if (!f->behind_waits)
    backend_read(behind);
}

static void on_done(BackendCall *behind, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  ForwardCall *f = arg;
  Error own = *status;
  if (status->kind == ERROR_NONE && f->answered) {
    rpc_call_reply(f->call, f->answer.data, f->answer.len);
  } else if (status->kind == ERROR_NONE) {
    rpc_call_finish(f->call, NULL);
  } else if (details_len > 0) {
    rpc_call_finish_details(f->call, status, details, details_len);
  } else {
    if (own.kind == ERROR_UNAVAILABLE)
      own.retry_after_ms = RETRY_AFTER_MS;
    rpc_call_finish(f->call, &own);
  }
  buf_deinit(&f->answer);
  free(f);
}

static const BackendHandlers HANDLERS = {
    .on_message = on_behind_message, .on_drain = on_behind_drain, .on_done = on_done};

/* on_done follows, and ends the client's call as well. */
static void on_cancel(RpcCall *call, void *arg) {
  ForwardCall *f = arg;
  backend_cancel(f->behind);
}

/* NULL: none. parent: room for what is made here. */
static const char *passed_value(const RpcCall *call, const char *key, char parent[TRACE_PARENT_SIZE]) {
  const TraceSpan *span = service_span(call);
  if (!span || !str_starts_with(key, "trace"))
    return rpc_call_metadata(call, key);
  if (str_equal(key, "tracestate"))
    return trace_state(span);
  trace_parent(span, parent);
  return parent;
}

/* NULL: the caller may not, and the call is finished. */
static ForwardCall *begin(RpcCall *call, const Router *router, Backend *backend, bool single) {
  const char *tenant;
  Error err = {0};
  if (identity_rpc_check(router, call, &tenant, &err) != 0) {
    rpc_call_finish(call, &err);
    return NULL;
  }
  ForwardCall *f = new0(ForwardCall);
  f->call = call;
  f->single = single;
  Http2Field passed[ARRAY_LEN(PASSED) + 1];
  char parent[TRACE_PARENT_SIZE];
  size_t n = 0;
  for (size_t i = 0; i < ARRAY_LEN(PASSED); i++) {
    const char *value = passed_value(call, PASSED[i], parent);
    /* credentials that were the router's own end here */
    if (value && !(tenant && str_equal(PASSED[i], AUTHORIZATION)))
      passed[n++] = (Http2Field){PASSED[i], value};
  }
  if (tenant)
    passed[n++] = (Http2Field){IDENTITY_RPC_TENANT, tenant};
  f->behind = backend_call(backend, rpc_call_path(call), rpc_call_time_left_ms(call), passed, n, &HANDLERS, f);
  backend_read(f->behind);
  return f;
}

static void forward_stream(RpcCall *call, const Router *router, Backend *backend) {
  ForwardCall *f = begin(call, router, backend, false);
  if (!f)
    return;
  rpc_call_read(call, on_client_message, f);
  rpc_call_on_cancel(call, on_cancel, f);
}

void forward_rpc_claims_single(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  ForwardCall *f = begin(call, router, ((Router *)router)->claims, true);
  if (!f)
    return;
  backend_write(f->behind, data, len);
  backend_half_close(f->behind);
  rpc_call_on_cancel(call, on_cancel, f);
}

void forward_rpc_claims(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  forward_stream(call, router, ((Router *)router)->claims);
}

void forward_rpc_pools(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  forward_stream(call, router, ((Router *)router)->pools);
}

void forward_rpc_reconciler(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  forward_stream(call, router, ((Router *)router)->reconciler);
}
