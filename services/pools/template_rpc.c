/* See template_rpc.h. A template is stored as the reconciler returns it, and only after it said that it can
 * be honoured; its error is handed to the caller, whose field is a path in the manifest. */
#include "services/pools/template_rpc.h"

#include <string.h>

#include "google/protobuf/empty.pb-c.h"
#include "lib/base/str.h"
#include "lib/state/state_template.h"
#include "services/pools/freshen_store.h"
#include "services/pools/index_rpc.h"
#include "services/pools/message_rpc.h"
#include "services/pools/reconciler_rpc.h"
#include "services/pools/refill_loop.h"

enum { MANIFEST_MAX = 256 << 10 };

static void reply_template(RpcRequest *request, const TemplateRecord *record) {
  Sandplane__V1__Template *message = message_template(request->arena, record);
  rpc_request_reply(request, &message->base);
}

/* ---- apply ---- */

typedef struct Applied {
  RpcRequest *request;
  Sandplane__V1__Template *message;
} Applied;

static void on_pools_told(void *arg, const Error *err) {
  Applied *a = arg;
  if (err)
    rpc_request_fail(a->request, err);
  else
    rpc_request_reply(a->request, &a->message->base);
}

static void on_applied(void *arg, const TemplateRecord *record, const Error *err) {
  RpcRequest *request = arg;
  if (err) {
    rpc_request_fail(request, err);
    return;
  }
  log_event(LOG_INFO, "template_applied", LOG_STR("namespace", record->ns), LOG_STR("template", record->name),
            LOG_STR("hash", record->hash), LOG_INT("generation", record->generation));
  Pools *pools = pools_of(request->service);
  refill_loop_look(pools->refill);
  Applied *a = arena_alloc(request->arena, sizeof *a);
  *a = (Applied){request, message_template(request->arena, record)};
  freshen_pools_of(pools, request->arena, record, on_pools_told, a);
}

static void on_checked(void *arg, const TemplateRecord *record, const Error *err) {
  RpcRequest *request = arg;
  if (err)
    rpc_request_fail(request, err);
  else
    state_template_apply(pools_of(request->service)->state, record, on_applied, request);
}

void template_rpc_apply(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  RpcRequest *request = rpc_request_new(call, pools, sizeof *request);
  if (!message_may_change(request))
    return;
  Error err = {0};
  const Sandplane__V1__ApplyTemplateRequest *in =
      rpc_pb_unpack(&sandplane__v1__apply_template_request__descriptor, request->arena, data, len, &err);
  const char *manifest = in && in->template_ ? in->template_->manifest : "";
  if (in && str_empty(manifest))
    error_field(&err, "template.manifest", "is required: a SandboxTemplate as YAML or JSON");
  else if (strlen(manifest) > MANIFEST_MAX)
    error_field(&err, "template.manifest", "must be at most %d bytes", MANIFEST_MAX);
  if (err.kind != ERROR_NONE) {
    rpc_request_fail(request, &err);
    return;
  }
  reconciler_check_template(pools_of(pools)->reconciler, manifest, on_checked, request);
}

/* ---- get, delete ---- */

typedef struct Named {
  RpcRequest request;
  ResourceName name;
} Named;

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  Named *named = arg;
  if (record)
    reply_template(&named->request, record);
  else
    rpc_request_fail(&named->request, err);
}

void template_rpc_get(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  Error err = {0};
  const Sandplane__V1__GetTemplateRequest *in =
      rpc_pb_unpack(&sandplane__v1__get_template_request__descriptor, named->request.arena, data, len, &err);
  AuthzPrincipal room;
  if (!in || resource_name_parse(in->name, "templates", "name", &named->name, &err) < 0 ||
      authz_check_namespace(pools_caller(call, &room), named->name.ns, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_template_get(pools_of(pools)->state, named->name.ns, named->name.id, on_template, named);
}

static void on_deleted(void *arg, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  log_event(LOG_INFO, "template_deleted", LOG_STR("namespace", named->name.ns), LOG_STR("template", named->name.id));
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&named->request, &empty.base);
}

void template_rpc_delete(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  if (!message_may_change(&named->request))
    return;
  Error err = {0};
  const Sandplane__V1__DeleteTemplateRequest *in =
      rpc_pb_unpack(&sandplane__v1__delete_template_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "templates", "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_template_delete(pools_of(pools)->state, named->name.ns, named->name.id, on_deleted, named);
}

/* ---- list ---- */

static void on_listed(void *arg, const TemplateRecord *record, const Error *err) {
  IndexPage *page = arg;
  if (err && err->kind != ERROR_NOT_FOUND) {
    index_page_fail(page, err);
    return;
  }
  if (record)
    index_page_add(page, &message_template(page->request.arena, record)->base);
  index_page_next(page);
}

static void read_one(IndexPage *page, const char *ns, const char *name) {
  state_template_get(pools_of(page->request.service)->state, ns, name, on_listed, page);
}

static void reply_list(IndexPage *page, char *next_page_token) {
  Sandplane__V1__ListTemplatesResponse response = SANDPLANE__V1__LIST_TEMPLATES_RESPONSE__INIT;
  response.templates = (Sandplane__V1__Template **)page->items;
  response.n_templates = page->n_items;
  if (next_page_token)
    response.next_page_token = next_page_token;
  rpc_request_reply(&page->request, &response.base);
}

static const IndexKind TEMPLATES = {state_template_names, read_one, reply_list};

void template_rpc_list(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  index_page_start(call, pools, &TEMPLATES, &sandplane__v1__list_templates_request__descriptor, data, len);
}
