/* See message_rpc.h. */
#include "services/pools/message_rpc.h"

#include "lib/resource/resource_pb.h"
#include "services/pools/pools.h"

Sandplane__V1__Template *message_template(Arena *arena, const TemplateRecord *record) {
  Sandplane__V1__Template *out = arena_alloc(arena, sizeof *out);
  sandplane__v1__template__init(out);
  out->name = resource_pb_name(arena, record->ns, "templates", record->name);
  out->manifest = resource_pb_text(arena, record->manifest);
  out->hash = resource_pb_text(arena, record->hash);
  out->generation = record->generation;
  out->runtime_class = resource_pb_text(arena, record->runtime_class);
  out->image = resource_pb_text(arena, record->image);
  out->create_time = resource_pb_time(arena, record->create_ms);
  return out;
}

Sandplane__V1__Pool *message_pool(Arena *arena, const PoolRecord *record) {
  Sandplane__V1__Pool *out = arena_alloc(arena, sizeof *out);
  sandplane__v1__pool__init(out);
  out->name = resource_pb_name(arena, record->ns, "pools", record->name);
  out->template_ = resource_pb_name(arena, record->ns, "templates", record->template_name);
  out->replicas = record->replicas;
  out->update_strategy = (Sandplane__V1__Pool__UpdateStrategy)record->strategy;
  out->ready_count = (int32_t)record->n_ready;
  out->creating_count = (int32_t)record->n_creating;
  out->claimed_count = (int32_t)record->n_claimed;
  out->waiting_count = (int32_t)record->n_waiting;
  out->reason = resource_pb_text(arena, record->reason);
  out->message = resource_pb_text(arena, record->message);
  out->generation = record->generation;
  out->create_time = resource_pb_time(arena, record->create_ms);
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
