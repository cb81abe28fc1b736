/* See bind_rpc.h. */
#include "services/router/grpc/bind_rpc.h"

#include <stdlib.h>

#include "api/sandplane/internal/v1/router.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/state/state_sandbox.h"
#include "services/router/dial.h"
#include "services/router/grpc/pod_bind.h"

typedef struct BindCall {
  Router *router;
  RpcCall *call; /* NULL: the caller has gone, and nothing waits for the end */
  Arena *arena;
  const Sandplane__Internal__V1__BindSandboxRequest *request;
  PodBind *bind;
} BindCall;

static void finish(BindCall *b, const Error *err) {
  if (b->call && err)
    rpc_call_finish(b->call, err);
  else if (b->call)
    rpc_call_reply(b->call, (const uint8_t *)"", 0);
  arena_free(b->arena);
  free(b);
}

static void on_bound(void *arg, const Error *err) {
  BindCall *b = arg;
  b->bind = NULL;
  finish(b, err);
}

/* Held by the claim that is meant, for good; without one any sandbox will do that runs. */
static bool is_meant(const SandboxRecord *r, const char *uid) {
  if (!*uid)
    return r->state == SANDBOX_READY || r->state == SANDBOX_CLAIMED;
  return r->state == SANDBOX_CLAIMED && !r->pending && str_equal(r->uid, uid);
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  BindCall *b = arg;
  Error why;
  if (err || !b->call)
    return finish(b, err);
  if (!is_meant(record, b->request->claim_uid)) {
    error_set(&why, ERROR_NOT_FOUND, "sandbox \"%s\" is not of this claim", b->request->sandbox);
    return finish(b, &why);
  }
  if (!dial_is_pod(record->route)) {
    error_set(&why, ERROR_FAILED_PRECONDITION, "sandbox \"%s\" is no Pod with an address", b->request->sandbox);
    return finish(b, &why);
  }
  b->bind = pod_bind_new(b->router, record, *b->request->claim_uid != 0, on_bound, b);
}

static void on_cancel(RpcCall *call, void *arg) {
  BindCall *b = arg;
  Error err;
  error_set(&err, ERROR_CANCELLED, "the caller has gone");
  rpc_call_finish(call, &err);
  b->call = NULL;
  if (!b->bind)
    return; /* the state answers yet */
  pod_bind_free(b->bind);
  finish(b, NULL);
}

void bind_rpc_sandbox(RpcCall *call, void *router, const uint8_t *data, size_t len) {
  Arena *arena = arena_new();
  Error err;
  const Sandplane__Internal__V1__BindSandboxRequest *request =
      rpc_pb_unpack(&sandplane__internal__v1__bind_sandbox_request__descriptor, arena, data, len, &err);
  if (request && !str_is_dns_label(request->namespace_))
    request = error_field(&err, "namespace", "is no DNS label") ? NULL : request;
  if (!request) {
    rpc_call_finish(call, &err);
    arena_free(arena);
    return;
  }
  BindCall *b = new0(BindCall);
  *b = (BindCall){.router = router, .call = call, .arena = arena, .request = request};
  rpc_call_on_cancel(call, on_cancel, b);
  state_get(b->router->state, request->namespace_, request->sandbox, on_record, b);
}
