/* See reconciler_rpc.h. */
#include "services/reconciler/reconciler_rpc.h"

#include <string.h>

#include "api/sandplane/internal/v1/reconciler.pb-c.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "services/reconciler/reconcile_loop.h"
#include "services/reconciler/start_spans.h"

void reconciler_rpc_check_template(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Reconciler *r = service;
  RpcRequest *request = rpc_request_new(call, r, sizeof *request);
  Error err = {0};
  BackendTemplate t;
  const Sandplane__Internal__V1__CheckTemplateRequest *in =
      rpc_pb_unpack(&sandplane__internal__v1__check_template_request__descriptor, request->arena, data, len, &err);
  if (!in || r->backend->ops->check(r->backend, in->manifest, request->arena, &t, &err) != 0)
    return rpc_request_fail(request, &err);
  Sandplane__Internal__V1__CheckTemplateResponse out = SANDPLANE__INTERNAL__V1__CHECK_TEMPLATE_RESPONSE__INIT;
  out.namespace_ = (char *)t.ns;
  out.name = (char *)t.name;
  out.manifest = (char *)t.manifest;
  out.hash = (char *)t.hash;
  out.runtime_class = (char *)t.runtime_class;
  out.image = (char *)t.image;
  rpc_request_reply(request, &out.base);
}

static bool names_are_sound(const Sandplane__Internal__V1__CreateSandboxesRequest *in, Error *err) {
  char pool[STATE_NAME_MAX + 1];
  if (!str_is_dns_label(in->namespace_))
    return error_field(err, "namespace", "is not a DNS label") == 0;
  for (size_t i = 0; i < in->n_sandboxes; i++)
    if (!str_is_dns_label(in->sandboxes[i]) || !state_pool_of(in->sandboxes[i], pool) || strcmp(pool, in->pool) != 0)
      return error_field(err, "sandboxes", "\"%.64s\" is not a name of pool \"%.64s\"", in->sandboxes[i], in->pool) ==
             0;
  return true;
}

void reconciler_rpc_create_sandboxes(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Reconciler *r = service;
  RpcRequest *request = rpc_request_new(call, r, sizeof *request);
  Error err = {0};
  const char *epoch = reconcile_loop_epoch(r->loop);
  const Sandplane__Internal__V1__CreateSandboxesRequest *in =
      rpc_pb_unpack(&sandplane__internal__v1__create_sandboxes_request__descriptor, request->arena, data, len, &err);
  bool ok = in && names_are_sound(in, &err);
  if (ok && r->backend->ops->leads && !r->backend->ops->leads(r->backend))
    ok = error_set(&err, ERROR_UNAVAILABLE, "another replica leads") == 0;
  if (ok && !epoch)
    ok = error_set(&err, ERROR_UNAVAILABLE, "the state store has not answered yet") == 0;
  for (size_t i = 0; ok && i < in->n_sandboxes; i++) {
    BackendSandbox b = {.ns = in->namespace_, .pool = in->pool, .id = in->sandboxes[i], .epoch = epoch};
    ok = r->backend->ops->create(r->backend, &b, in->manifest, &err) == 0;
    if (ok)
      start_spans_begin(r->starts, service_span(call), b.ns, b.pool, b.id);
  }
  if (!ok)
    return rpc_request_fail(request, &err);
  Sandplane__Internal__V1__CreateSandboxesResponse out = SANDPLANE__INTERNAL__V1__CREATE_SANDBOXES_RESPONSE__INIT;
  rpc_request_reply(request, &out.base);
}
