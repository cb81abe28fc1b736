/* See reconciler_rpc.h. */
#include "services/pools/reconciler_rpc.h"

#include <stdlib.h>

#include "api/sandplane/internal/v1/reconciler.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/rpc/rpc_pb.h"

#define SERVICE "/sandplane.internal.v1.ReconcilerService/"

enum {
  CHECK_TIMEOUT_MS = 10000, /* it may read an image's configuration */
  CREATE_TIMEOUT_MS = 5000, /* it only accepts */
};

typedef struct Check {
  void (*fn)(void *arg, const TemplateRecord *record, const Error *err);
  void *arg;
} Check;

static void on_checked(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Check check = *(Check *)arg;
  free(arg);
  if (status->kind != ERROR_NONE) {
    check.fn(check.arg, NULL, status);
    return;
  }
  Arena *arena = arena_new();
  Error err = {0};
  const Sandplane__Internal__V1__CheckTemplateResponse *response =
      rpc_pb_unpack(&sandplane__internal__v1__check_template_response__descriptor, arena, data, len, &err);
  if (response) {
    TemplateRecord record = {
        .ns = response->namespace_,
        .name = response->name,
        .manifest = response->manifest,
        .hash = response->hash,
        .runtime_class = response->runtime_class,
        .image = response->image,
    };
    check.fn(check.arg, &record, NULL);
  } else {
    error_set(&err, ERROR_INTERNAL, "the reconciler's answer is malformed");
    check.fn(check.arg, NULL, &err);
  }
  arena_free(arena);
}

void reconciler_check_template(RpcChannel *reconciler, const char *manifest,
                               void (*fn)(void *arg, const TemplateRecord *record, const Error *err), void *arg) {
  Check *check = xmalloc(sizeof *check);
  *check = (Check){fn, arg};
  Sandplane__Internal__V1__CheckTemplateRequest request = SANDPLANE__INTERNAL__V1__CHECK_TEMPLATE_REQUEST__INIT;
  request.manifest = (char *)manifest;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  rpc_client_unary(reconciler, SERVICE "CheckTemplate", CHECK_TIMEOUT_MS, data, len, on_checked, check);
  free(data);
}

typedef struct Create {
  void (*fn)(void *arg, const Error *err);
  void *arg;
} Create;

static void on_created(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Create create = *(Create *)arg;
  free(arg);
  create.fn(create.arg, status->kind == ERROR_NONE ? NULL : status);
}

void reconciler_create_sandboxes(RpcChannel *reconciler, const ReconcilerOrder *order,
                                 void (*fn)(void *arg, const Error *err), void *arg) {
  Create *create = xmalloc(sizeof *create);
  *create = (Create){fn, arg};
  Sandplane__Internal__V1__CreateSandboxesRequest request = SANDPLANE__INTERNAL__V1__CREATE_SANDBOXES_REQUEST__INIT;
  request.namespace_ = (char *)order->ns;
  request.pool = (char *)order->pool;
  request.template_ = (char *)order->template_name;
  request.manifest = (char *)order->manifest;
  request.template_hash = (char *)order->template_hash;
  request.sandboxes = (char **)order->ids;
  request.n_sandboxes = order->n_ids;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  char parent[TRACE_PARENT_SIZE];
  RpcMetadata metadata = {"traceparent", parent};
  if (order->span)
    trace_parent(order->span, parent);
  rpc_client_unary_with(reconciler, SERVICE "CreateSandboxes", CREATE_TIMEOUT_MS, &metadata, order->span ? 1 : 0, data,
                        len, on_created, create);
  free(data);
}
