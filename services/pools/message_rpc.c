/* See message_rpc.h. */
#include "services/pools/message_rpc.h"

#include "lib/resource/resource.h"
#include "services/pools/pools.h"

static char *resource(Arena *arena, const char *ns, const char *collection, const char *id) {
  char name[RESOURCE_NAME_SIZE];
  resource_name_format(name, ns, collection, id);
  return arena_strdup(arena, name);
}

static char *copy(Arena *arena, const char *s) {
  return arena_strdup(arena, s ? s : "");
}

static Google__Protobuf__Timestamp *timestamp(Arena *arena, int64_t ms) {
  Google__Protobuf__Timestamp *t = arena_alloc(arena, sizeof *t);
  google__protobuf__timestamp__init(t);
  t->seconds = ms / 1000;
  t->nanos = (int32_t)(ms % 1000) * 1000000;
  return t;
}

Sandplane__V1__Template *message_template(Arena *arena, const TemplateRecord *record) {
  Sandplane__V1__Template *out = arena_alloc(arena, sizeof *out);
  sandplane__v1__template__init(out);
  out->name = resource(arena, record->ns, "templates", record->name);
  out->manifest = copy(arena, record->manifest);
  out->hash = copy(arena, record->hash);
  out->generation = record->generation;
  out->runtime_class = copy(arena, record->runtime_class);
  out->image = copy(arena, record->image);
  out->create_time = timestamp(arena, record->create_ms);
  return out;
}

Sandplane__V1__Pool *message_pool(Arena *arena, const PoolRecord *record) {
  Sandplane__V1__Pool *out = arena_alloc(arena, sizeof *out);
  sandplane__v1__pool__init(out);
  out->name = resource(arena, record->ns, "pools", record->name);
  out->template_ = resource(arena, record->ns, "templates", record->template_name);
  out->replicas = record->replicas;
  out->update_strategy = (Sandplane__V1__Pool__UpdateStrategy)record->strategy;
  out->ready_count = (int32_t)record->n_ready;
  out->creating_count = (int32_t)record->n_creating;
  out->claimed_count = (int32_t)record->n_claimed;
  out->waiting_count = (int32_t)record->n_waiting;
  out->reason = copy(arena, record->reason);
  out->message = copy(arena, record->message);
  out->generation = record->generation;
  out->create_time = timestamp(arena, record->create_ms);
  return out;
}

bool message_may_change(RpcRequest *request) {
  if (!pools_of(request->service)->config->read_only)
    return true;
  Error err;
  error_set(&err, ERROR_FAILED_PRECONDITION,
            "templates and pools of this installation are objects of its cluster: kubectl apply a "
            "SandboxTemplate or SandboxWarmPool");
  rpc_request_fail(request, &err);
  return false;
}
