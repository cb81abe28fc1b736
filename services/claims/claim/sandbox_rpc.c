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
  AuthzPrincipal room;
  const AuthzPrincipal *who; /* as claims_caller */
} Named;

/* Of a name that has just been read: may the caller use its namespace at all? */
static int may_use(Named *named, Error *err) {
  named->who = claims_caller(named->request.call, &named->room);
  return authz_check_namespace(named->who, named->name.ns, err);
}

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

static void fail(Named *named, const Error *err) {
  Error out;
  not_found(&out, err, &named->name);
  rpc_request_fail(&named->request, &out);
}

/* Another tenant's is as one that does not exist. */
static const Error NOT_THERE = {.kind = ERROR_NOT_FOUND};

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  Named *named = arg;
  if (!record)
    fail(named, err);
  else if (!authz_may_see(named->who, record->tenant))
    fail(named, &NOT_THERE);
  else
    reply_sandbox(named, record);
}

void sandbox_rpc_get(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  const Sandplane__V1__GetSandboxRequest *in =
      rpc_pb_unpack(&sandplane__v1__get_sandbox_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "sandboxes", "name", &named->name, &err) < 0 || may_use(named, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_get(claims_of(named->request.service)->state, named->name.ns, named->name.id, on_record, named);
}

/* ---- update ---- */

typedef struct Update {
  Named named;
  SandboxUpdate change; /* in the request's arena */
} Update;

static void on_updated(void *arg, const SandboxRecord *record, const Error *err) {
  Named *update = arg;
  if (record && record->state == SANDBOX_RELEASING)
    log_event(LOG_INFO, "sandbox_released", LOG_STR("namespace", record->ns), LOG_STR("sandbox", record->id),
              LOG_STR("uid", record->uid), LOG_STR("reason", record->reason));
  else if (record)
    expire_loop_touch(claims_of(update->request.service)->expire, record->ns, record->pool);
  on_record(update, record, err);
}

/* Whose it is does not change any more: it serves one claim in its life. */
static void on_record_of_update(void *arg, const SandboxRecord *record, const Error *err) {
  Update *update = arg;
  Named *named = &update->named;
  if (!record)
    fail(named, err);
  else if (!authz_may_see(named->who, record->tenant))
    fail(named, &NOT_THERE);
  else
    state_update(claims_of(named->request.service)->state, named->name.ns, named->name.id, &update->change, on_updated,
                 named);
}

void sandbox_rpc_update(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Update *update = rpc_request_new(call, claims, sizeof *update);
  Named *named = &update->named;
  RpcRequest *request = &named->request;
  Error err = {0};
  const Sandplane__V1__UpdateSandboxRequest *message =
      rpc_pb_unpack(&sandplane__v1__update_sandbox_request__descriptor, request->arena, data, len, &err);
  if (!message) {
    rpc_request_fail(request, &err);
    return;
  }
  ClaimUpdateInput in = message_update_input(request->arena, message);
  if (claim_check_update(&in, clock_wall_ms(), &named->name, &update->change, &err) < 0 || may_use(named, &err) < 0) {
    rpc_request_fail(request, &err);
    return;
  }
  if (named->who)
    state_get(claims_of(claims)->state, named->name.ns, named->name.id, on_record_of_update, update);
  else
    state_update(claims_of(claims)->state, named->name.ns, named->name.id, &update->change, on_updated, named);
}

/* ---- delete ---- */

typedef struct Delete {
  Named named;
  const char *uid; /* in the request's arena; empty: whichever */
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

/* There is none, or none for this caller: what was asked for is so. */
static void on_gone(Named *named) {
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&named->request, &empty.base);
}

static void on_record_of_delete(void *arg, const SandboxRecord *record, const Error *err) {
  Delete *delete = arg;
  Error why;
  if ((err && err->kind == ERROR_NOT_FOUND) || (record && !authz_may_see(delete->named.who, record->tenant))) {
    on_gone(&delete->named);
  } else if (!record) {
    rpc_request_fail(&delete->named.request, err);
  } else if (*delete->uid && !str_equal(record->uid, delete->uid)) {
    error_set(&why, ERROR_ABORTED, "sandbox \"%s\" is not that of uid \"%.64s\" any more", delete->named.name.id,
              delete->uid);
    rpc_request_fail(&delete->named.request, &why);
  } else {
    /* with the uid, so that a claim that comes in between is not ended */
    state_release(claims_of(delete->named.request.service)->state, delete->named.name.ns, delete->named.name.id,
                  record->uid, "Deleted", on_released, &delete->named);
  }
}

void sandbox_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Delete *delete = rpc_request_new(call, claims, sizeof *delete);
  Named *named = &delete->named;
  Error err = {0};
  const Sandplane__V1__DeleteSandboxRequest *in =
      rpc_pb_unpack(&sandplane__v1__delete_sandbox_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "sandboxes", "name", &named->name, &err) < 0 || may_use(named, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  delete->uid = in->uid;
  if (*in->uid || named->who) {
    state_get(claims_of(named->request.service)->state, named->name.ns, named->name.id, on_record_of_delete, delete);
    return;
  }
  state_release(claims_of(named->request.service)->state, named->name.ns, named->name.id, "", "Deleted", on_released,
                named);
}
