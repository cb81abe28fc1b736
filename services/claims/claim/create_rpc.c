/* See create_rpc.h. What claiming means is in claim_store.h; here a call becomes a spec, and its outcome an
 * answer, a metric and a log line. Values of env and labels are never logged. */
#include "services/claims/claim/create_rpc.h"

#include <stdio.h>
#include <string.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_pool.h"
#include "services/claims/claim/claim_store.h"
#include "services/claims/claim/message_rpc.h"
#include "services/claims/claims.h"
#include "services/claims/claims_metrics.h"

typedef struct Create {
  RpcRequest request;
  ClaimSpec spec;
  ClaimOp op;
  int64_t start_us;
  bool over; /* nothing is left to cancel */
} Create;

const char *create_rpc_outcome(const Error *err) {
  switch (err->kind) {
  case ERROR_INVALID_ARGUMENT:
    return "invalid";
  case ERROR_NOT_FOUND:
    return "not_found";
  case ERROR_RESOURCE_EXHAUSTED:
    return "exhausted";
  case ERROR_DEADLINE_EXCEEDED:
    return "deadline";
  case ERROR_CANCELLED:
    return "cancelled";
  case ERROR_UNAVAILABLE:
    return "unavailable";
  default:
    return "error";
  }
}

typedef struct Why {
  RpcRequest *request;
  Error err;
} Why;

static void on_pool(void *arg, const PoolRecord *pool, const Error *err) {
  Why *w = arg;
  size_t n = strlen(w->err.message), size = sizeof w->err.message;
  if (pool && !str_empty(pool->reason)) {
    snprintf(w->err.message + n, size - n, "; the pool is not full: %s: %s", pool->reason, pool->message);
    str_repair_utf8(w->err.message);
  }
  rpc_request_fail(w->request, &w->err);
}

void create_rpc_fail(RpcRequest *request, State *state, const char *ns, const char *pool, const Error *err) {
  const char *outcome = create_rpc_outcome(err);
  bool is_lack = (str_equal(outcome, "exhausted") && str_empty(err->field)) || str_equal(outcome, "deadline");
  if (!is_lack || str_empty(pool)) {
    rpc_request_fail(request, err);
    return;
  }
  Why *w = arena_alloc(request->arena, sizeof *w);
  *w = (Why){request, *err};
  state_pool_get(state, ns, pool, on_pool, w);
}

static void refuse(Create *create, const Error *err) {
  Metrics *metrics = claims_of(create->request.service)->service->metrics;
  const char *outcome = create_rpc_outcome(err);
  metrics_add(metrics, CLAIMS_METRIC_CLAIMS, 1, outcome, NULL, NULL);
  if ((str_equal(outcome, "exhausted") || str_equal(outcome, "deadline")) && *create->op.pool)
    claims_metrics_met(metrics, create->spec.ns, create->op.pool, false, 1);
  create_rpc_fail(&create->request, claims_of(create->request.service)->state, create->spec.ns, create->op.pool, err);
}

static void on_done(void *arg, const SandboxRecord *record, bool queued, const Error *err) {
  Create *create = arg;
  create->over = true;
  if (!record) {
    refuse(create, err);
    return;
  }
  RpcRequest *request = &create->request;
  Metrics *metrics = claims_of(request->service)->service->metrics;
  const char *phase = queued ? "queued" : "warm";
  double seconds = (double)(clock_mono_us() - create->start_us) / 1e6;
  metrics_add(metrics, CLAIMS_METRIC_CLAIMS, 1, phase, NULL, NULL);
  metrics_observe(metrics, CLAIMS_METRIC_CLAIM_SECONDS, seconds, phase, NULL, NULL);
  claims_metrics_met(metrics, record->ns, record->pool, !queued, 1);
  log_event(LOG_INFO, "sandbox_claimed", LOG_STR("namespace", record->ns), LOG_STR("sandbox", record->id),
            LOG_STR("uid", record->uid), LOG_STR("pool", record->pool), LOG_STR("tenant", record->tenant),
            LOG_STR("phase", phase), LOG_INT("wait_ms", record->wait_ms),
            LOG_STR("peer", rpc_call_peer(request->call)));
  TraceSpan *span = service_span(request->call);
  if (span) {
    trace_str(span, "sandplane.namespace", record->ns);
    trace_str(span, "sandplane.pool", record->pool);
    trace_str(span, "sandplane.sandbox", record->id);
    trace_str(span, "sandplane.phase", phase);
  }
  Sandplane__V1__Sandbox *box =
      message_sandbox(request->arena, record, claims_of(request->service)->config->router_url);
  rpc_request_reply(request, &box->base);
}

static void on_cancel(RpcCall *call, void *arg) {
  Create *create = arg;
  if (!create->over)
    claim_store_cancel(&create->op);
}

void create_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Create *create = rpc_request_new(call, claims, sizeof *create);
  create->start_us = clock_mono_us();
  Error err = {0};
  const Sandplane__V1__CreateSandboxRequest *message =
      rpc_pb_unpack(&sandplane__v1__create_sandbox_request__descriptor, create->request.arena, data, len, &err);
  if (!message) {
    refuse(create, &err);
    return;
  }
  ClaimInput in = message_claim_input(create->request.arena, message);
  AuthzPrincipal room;
  const AuthzPrincipal *who = claims_caller(call, &room);
  in.tenant = who ? who->tenant : NULL;
  if (claim_check(&in, &create->spec, &err) < 0 || authz_check_namespace(who, create->spec.ns, &err) < 0) {
    refuse(create, &err);
    return;
  }
  rpc_call_on_cancel(call, on_cancel, create);
  claim_store_acquire(claims_of(create->request.service)->store, &create->op, &create->spec,
                      rpc_call_time_left_ms(call), service_span(call), on_done, create);
}
