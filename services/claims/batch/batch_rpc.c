/* See batch_rpc.h. What a batch means is in batch_store.h; here a call becomes a spec, and its outcome an answer. */
#include "services/claims/batch/batch_rpc.h"

#include <stdio.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/batch/batch_store.h"
#include "services/claims/claim/create_rpc.h"
#include "services/claims/claim/message_rpc.h"
#include "services/claims/claims_metrics.h"

typedef struct Create {
  RpcRequest request;
  BatchSpec spec;
  BatchOp op;
  int64_t start_us;
  bool over; /* nothing is left to cancel */
} Create;

static void refuse(Create *create, const Error *err) {
  Metrics *metrics = claims_of(create->request.service)->service->metrics;
  metrics_add(metrics, CLAIMS_METRIC_CLAIMS, 1, create_rpc_outcome(err), NULL, NULL);
  const ClaimSpec *each = &create->spec.each;
  create_rpc_fail(&create->request, claims_of(create->request.service)->state, each->ns, each->pool, err);
}

static void on_done(void *arg, const BatchResult *result, bool queued, const Error *err) {
  Create *create = arg;
  create->over = true;
  if (!result) {
    refuse(create, err);
    return;
  }
  RpcRequest *request = &create->request;
  const Claims *claims = claims_of(request->service);
  const char *phase = queued ? "queued" : "warm";
  double seconds = (double)(clock_mono_us() - create->start_us) / 1e6;
  metrics_add(claims->service->metrics, CLAIMS_METRIC_CLAIMS, (double)result->n_records, phase, NULL, NULL);
  metrics_observe(claims->service->metrics, CLAIMS_METRIC_CLAIM_SECONDS, seconds, phase, NULL, NULL);
  const SandboxRecord *first = &result->records[0];
  claims_metrics_met(claims->service->metrics, first->ns, first->pool, !queued, result->n_records);
  log_event(LOG_INFO, "batch_claimed", LOG_STR("namespace", first->ns), LOG_STR("pool", first->pool),
            LOG_STR("tenant", first->tenant), LOG_STR("token", create->op.token),
            LOG_INT("sandboxes", (int64_t)result->n_records), LOG_STR("phase", phase),
            LOG_INT("wait_ms", first->wait_ms), LOG_STR("peer", rpc_call_peer(request->call)));
  TraceSpan *span = service_span(request->call);
  if (span) {
    trace_str(span, "sandplane.namespace", first->ns);
    trace_str(span, "sandplane.pool", first->pool);
    trace_int(span, "sandplane.count", (int64_t)result->n_records);
    trace_str(span, "sandplane.phase", phase);
  }
  Sandplane__V1__BatchCreateSandboxesResponse response = SANDPLANE__V1__BATCH_CREATE_SANDBOXES_RESPONSE__INIT;
  response.n_sandboxes = result->n_records;
  response.sandboxes = arena_alloc(request->arena, result->n_records * sizeof(Sandplane__V1__Sandbox *));
  for (size_t i = 0; i < result->n_records; i++)
    response.sandboxes[i] = message_sandbox(request->arena, &result->records[i], claims->config->router_url);
  rpc_request_reply(request, &response.base);
}

static void on_cancel(RpcCall *call, void *arg) {
  Create *create = arg;
  if (!create->over)
    batch_store_cancel(&create->op);
}

void batch_rpc_create(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Create *create = rpc_request_new(call, claims, sizeof *create);
  create->start_us = clock_mono_us();
  Error err = {0};
  const Sandplane__V1__BatchCreateSandboxesRequest *message =
      rpc_pb_unpack(&sandplane__v1__batch_create_sandboxes_request__descriptor, create->request.arena, data, len, &err);
  if (!message) {
    refuse(create, &err);
    return;
  }
  ClaimInput in = message_batch_input(create->request.arena, message);
  AuthzPrincipal room;
  const AuthzPrincipal *who = claims_caller(call, &room);
  in.tenant = who ? who->tenant : NULL;
  if (batch_check(&in, message->count, message->min_count, &create->spec, &err) < 0 ||
      authz_check_namespace(who, create->spec.each.ns, &err) < 0) {
    refuse(create, &err);
    return;
  }
  rpc_call_on_cancel(call, on_cancel, create);
  batch_store_acquire(claims_of(create->request.service)->batches, &create->op, &create->spec,
                      rpc_call_time_left_ms(call), on_done, create);
}

/* ---- delete ---- */

/* One of them, for a caller whose it must be. */
typedef struct DeleteOne {
  struct Delete *delete;
  const ResourceName *name;
} DeleteOne;

typedef struct Delete {
  RpcRequest request;
  AuthzPrincipal room;
  const AuthzPrincipal *who; /* as claims_caller */
  size_t n_names, n_left;
  ResourceName *names;
  Error err; /* the first one */
} Delete;

static void on_released(void *arg, const Error *err) {
  Delete *delete = arg;
  if (err && !delete->err.kind)
    delete->err = *err;
  if (--delete->n_left > 0)
    return;
  if (delete->err.kind) {
    rpc_request_fail(&delete->request, &delete->err);
    return;
  }
  log_event(LOG_INFO, "batch_released", LOG_INT("sandboxes", (int64_t) delete->n_names), LOG_STR("reason", "Deleted"),
            LOG_STR("peer", rpc_call_peer(delete->request.call)));
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&delete->request, &empty.base);
}

static void on_record_of_delete(void *arg, const SandboxRecord *record, const Error *err) {
  const DeleteOne *one = arg;
  Delete *delete = one->delete;
  bool gone = (err && err->kind == ERROR_NOT_FOUND) || (record && !authz_may_see(delete->who, record->tenant));
  if (!record || gone)
    on_released(delete, gone ? NULL : err);
  else
    state_release(claims_of(delete->request.service)->state, one->name->ns, one->name->id, record->uid, "Deleted",
                  on_released, delete);
}

static void delete_one(Delete *delete, const ResourceName *name) {
  State *state = claims_of(delete->request.service)->state;
  if (!delete->who) {
    state_release(state, name->ns, name->id, "", "Deleted", on_released, delete);
    return;
  }
  DeleteOne *one = arena_alloc(delete->request.arena, sizeof *one);
  *one = (DeleteOne){delete, name};
  state_get(state, name->ns, name->id, on_record_of_delete, one);
}

static int parse_names(Delete *delete, const Sandplane__V1__BatchDeleteSandboxesRequest *in, Error *err) {
  char ns[RESOURCE_SEGMENT_MAX + 1], field[32];
  if (resource_parent_parse(in->parent, true, "parent", ns, err) < 0 || batch_check_names(in->n_names, err) < 0)
    return -1;
  delete->names = arena_alloc(delete->request.arena, in->n_names * sizeof *delete->names);
  for (size_t i = 0; i < in->n_names; i++) {
    snprintf(field, sizeof field, "names[%zu]", i);
    if (resource_name_parse(in->names[i], "sandboxes", field, &delete->names[i], err) < 0)
      return -1;
    if (!str_empty(ns) && !str_equal(ns, delete->names[i].ns))
      return error_field(err, field, "must be in the namespace of parent");
    if (authz_check_namespace(delete->who, delete->names[i].ns, err) < 0)
      return -1;
  }
  delete->n_names = delete->n_left = in->n_names;
  return 0;
}

void batch_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Delete *delete = rpc_request_new(call, claims, sizeof *delete);
  Error err = {0};
  delete->who = claims_caller(call, &delete->room);
  const Sandplane__V1__BatchDeleteSandboxesRequest *in =
      rpc_pb_unpack(&sandplane__v1__batch_delete_sandboxes_request__descriptor, delete->request.arena, data, len, &err);
  if (!in || parse_names(delete, in, &err) < 0) {
    rpc_request_fail(&delete->request, &err);
    return;
  }
  /* all at once on one connection: one wait for the disk */
  size_t n = delete->n_names;
  for (size_t i = 0; i < n; i++)
    delete_one(delete, &delete->names[i]);
}
