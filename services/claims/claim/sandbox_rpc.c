/* See sandbox_rpc.h.
 *
 * An update that moves the end into the past releases the sandbox in the same step: the caller was told it ends now.
 */
#include "services/claims/claim/sandbox_rpc.h"

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/claim/claim.h"
#include "services/claims/claim/expire_loop.h"
#include "services/claims/claim/message_rpc.h"
#include "services/claims/claims.h"

typedef struct Named {
  RpcRequest request;
  ResourceName name;
} Named;

static void not_found(Error *out, const Error *err, const ResourceName *name) {
  *out = *err;
  if (err->kind == ERROR_NOT_FOUND)
    error_set(out, ERROR_NOT_FOUND, "sandbox %s in namespace %s does not exist", name->id, name->ns);
}

static void reply_sandbox(Named *named, const SandboxRecord *record) {
  RpcRequest *request = &named->request;
  Sandplane__V1__Sandbox *box =
      message_sandbox(request->arena, record, claims_of(request->service)->config->router_url);
  rpc_request_reply(request, &box->base);
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  Named *named = arg;
  if (record) {
    reply_sandbox(named, record);
    return;
  }
  Error out;
  not_found(&out, err, &named->name);
  rpc_request_fail(&named->request, &out);
}

void sandbox_rpc_get(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  const Sandplane__V1__GetSandboxRequest *in =
      rpc_pb_unpack(&sandplane__v1__get_sandbox_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "sandboxes", "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_get(claims_of(named->request.service)->state, named->name.ns, named->name.id, on_record, named);
}

/* ---- update ---- */

static void on_updated(void *arg, const SandboxRecord *record, const Error *err) {
  Named *update = arg;
  if (record && record->state == SANDBOX_RELEASING)
    log_event(LOG_INFO, "sandbox_released", LOG_STR("namespace", record->ns), LOG_STR("sandbox", record->id),
              LOG_STR("uid", record->uid), LOG_STR("reason", record->reason));
  else if (record)
    expire_loop_touch(claims_of(update->request.service)->expire, record->ns, record->pool);
  on_record(update, record, err);
}

void sandbox_rpc_update(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *update = rpc_request_new(call, claims, sizeof *update);
  RpcRequest *request = &update->request;
  Error err = {0};
  const Sandplane__V1__UpdateSandboxRequest *message =
      rpc_pb_unpack(&sandplane__v1__update_sandbox_request__descriptor, request->arena, data, len, &err);
  if (!message) {
    rpc_request_fail(request, &err);
    return;
  }
  ClaimUpdateInput in = message_update_input(request->arena, message);
  SandboxUpdate u;
  if (claim_check_update(&in, clock_wall_ms(), &update->name, &u, &err) < 0) {
    rpc_request_fail(request, &err);
    return;
  }
  state_update(claims_of(request->service)->state, update->name.ns, update->name.id, &u, on_updated, update);
}

/* ---- delete ---- */

typedef struct Delete {
  Named named;
  const char *uid; /* in the request's arena */
} Delete;

static void on_released(void *arg, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  log_event(LOG_INFO, "sandbox_released", LOG_STR("namespace", named->name.ns), LOG_STR("sandbox", named->name.id),
            LOG_STR("reason", "Deleted"), LOG_STR("peer", rpc_call_peer(named->request.call)));
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&named->request, &empty.base);
}

static void on_record_of_delete(void *arg, const SandboxRecord *record, const Error *err) {
  Delete *delete = arg;
  Error why;
  if (err && err->kind == ERROR_NOT_FOUND) {
    on_released(&delete->named, NULL);
  } else if (err) {
    rpc_request_fail(&delete->named.request, err);
  } else if (!str_equal(record->uid, delete->uid)) {
    error_set(&why, ERROR_ABORTED, "sandbox \"%s\" is not that of uid \"%.64s\" any more", delete->named.name.id,
              delete->uid);
    rpc_request_fail(&delete->named.request, &why);
  } else {
    /* with the uid, so that a claim that comes in between is not ended */
    state_release(claims_of(delete->named.request.service)->state, delete->named.name.ns, delete->named.name.id,
                  delete->uid, "Deleted", on_released, &delete->named);
  }
}

void sandbox_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Delete *delete = rpc_request_new(call, claims, sizeof *delete);
  Named *named = &delete->named;
  Error err = {0};
  const Sandplane__V1__DeleteSandboxRequest *in =
      rpc_pb_unpack(&sandplane__v1__delete_sandbox_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "sandboxes", "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  if (*in->uid) {
    delete->uid = in->uid;
    state_get(claims_of(named->request.service)->state, named->name.ns, named->name.id, on_record_of_delete, delete);
    return;
  }
  state_release(claims_of(named->request.service)->state, named->name.ns, named->name.id, "", "Deleted", on_released,
                named);
}
