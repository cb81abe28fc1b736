/* See pools_fixture.h. */
#include "services/pools/pools_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/internal/v1/reconciler.pb-c.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_sandbox.h"

#define RECONCILER "/sandplane.internal.v1.ReconcilerService/"

/* ---- the reconciler's side ---- */

static void check_template(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  RpcRequest *request = rpc_request_new(call, service, sizeof *request);
  Error err = {0};
  const Sandplane__Internal__V1__CheckTemplateRequest *in =
      rpc_pb_unpack(&sandplane__internal__v1__check_template_request__descriptor, request->arena, data, len, &err);
  assert_non_null(in);
  char *name = arena_strdup(request->arena, in->manifest), *hash = strchr(name, ' ');
  if (!hash) {
    error_field(&err, "spec.podTemplate.spec.runtimeClassName", "\"kata\" is not available here");
    err.kind = ERROR_FAILED_PRECONDITION;
    rpc_request_fail(request, &err);
    return;
  }
  *hash++ = '\0';
  Sandplane__Internal__V1__CheckTemplateResponse response = SANDPLANE__INTERNAL__V1__CHECK_TEMPLATE_RESPONSE__INIT;
  response.namespace_ = "default";
  response.name = name;
  response.manifest = in->manifest;
  response.hash = hash;
  response.runtime_class = "gvisor";
  response.image = "image:v1";
  rpc_request_reply(request, &response.base);
}

static void on_ready(void *arg, bool granted, const Error *err) {}

static void create_sandboxes(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  World *w = service;
  RpcRequest *request = rpc_request_new(call, service, sizeof *request);
  Error err = {0};
  const Sandplane__Internal__V1__CreateSandboxesRequest *in =
      rpc_pb_unpack(&sandplane__internal__v1__create_sandboxes_request__descriptor, request->arena, data, len, &err);
  assert_non_null(in);
  w->n_orders += (int)in->n_sandboxes;
  snprintf(w->last_hash, sizeof w->last_hash, "%s", in->template_hash);
  if (w->mode == MODE_REFUSE) {
    error_set(&err, ERROR_FAILED_PRECONDITION, "not here");
    rpc_request_fail(request, &err);
    return;
  }
  w->turn_gap_ms = clock_mono_ms() - w->refused_ms;
  if (w->mode == MODE_TURNS && w->n_turns++ % 2 == 0) {
    w->refused_ms = clock_mono_ms();
    error_set(&err, ERROR_UNAVAILABLE, "another replica leads");
    rpc_request_fail(request, &err);
    return;
  }
  for (size_t i = 0; i < in->n_sandboxes; i++) {
    if (w->mode == MODE_MAKE || w->mode == MODE_TURNS)
      state_ready(w->f->state, in->namespace_, in->sandboxes[i], "unix:/run/x", "gvisor", on_ready, NULL);
    else if (w->mode == MODE_FAIL)
      state_failed(w->f->state, in->namespace_, in->sandboxes[i], "ImageNotFound", "no such image", NULL, NULL);
  }
  Sandplane__Internal__V1__CreateSandboxesResponse response = SANDPLANE__INTERNAL__V1__CREATE_SANDBOXES_RESPONSE__INIT;
  rpc_request_reply(request, &response.base);
}

static const RpcMethod METHODS[] = {
    {RECONCILER "CheckTemplate", RPC_UNARY, check_template},
    {RECONCILER "CreateSandboxes", RPC_UNARY, create_sandboxes},
};

/* Destroys what is to be destroyed, at once. */
static void on_releasing(void *arg, const char *const *ids, size_t n, const Error *err) {
  World *w = arg;
  for (size_t i = 0; i < n; i++)
    state_gone(w->f->state, "default", ids[i], NULL, NULL);
}

static void on_hint(void *arg, const char *ns, const char *pool) {
  World *w = arg;
  if (ns)
    state_releasing(w->f->state, ns, pool, on_releasing, w);
}

/* ---- the world ---- */

int world_setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->f = fixture_new("test", true);
  Error err;
  const RpcServerConfig config = {
      .address = "127.0.0.1:17403", .methods = METHODS, .n_methods = ARRAY_LEN(METHODS), .service = w};
  w->reconciler = rpc_server_new(w->f->loop, &config, &err);
  if (!w->reconciler)
    fail_msg("%s", err.message);
  state_on_releasing(w->f->state, on_hint, w);
  const char *args[] = {
      "--redis-address", getenv("REDIS_ADDRESS"), "--reconciler", "127.0.0.1:17403", "--log-level", "error", NULL};
  for (int i = 0; i < 2; i++)
    service_process_start(&w->replicas[i], w->f->loop, "services/pools/sandplane-pools", 17401 + i, args);
  *state = w;
  return 0;
}

static void on_drained(void *arg) {
  *(bool *)arg = true;
}

int world_teardown(void **state) {
  World *w = *state;
  for (int i = 0; i < 2; i++)
    if (w->replicas[i].pid)
      assert_int_equal(service_process_stop(&w->replicas[i], w->f->loop), 0);
  bool drained = false;
  rpc_server_drain(w->reconciler, 100, on_drained, &drained);
  service_fixture_wait(w->f->loop, &drained, "drain of the test's server");
  rpc_server_free(w->reconciler);
  fixture_free(w->f);
  free(w);
  return 0;
}

/* Any replica that is there. */
static ServiceProcess *a_replica(World *w) {
  static int turn;
  ServiceProcess *replica = &w->replicas[turn++ % 2];
  return replica->pid ? replica : &w->replicas[turn % 2];
}

void call_pool(World *w, ServiceCall *call, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *answer) {
  char path[128];
  snprintf(path, sizeof path, "/sandplane.v1.%s/%s", strstr(method, "Template") ? "TemplateService" : "PoolService",
           method);
  service_call(call, w->f->loop, a_replica(w), path, request, answer);
}

void apply_template(World *w, const char *manifest) {
  Sandplane__V1__ApplyTemplateRequest request = SANDPLANE__V1__APPLY_TEMPLATE_REQUEST__INIT;
  Template template_ = SANDPLANE__V1__TEMPLATE__INIT;
  template_.manifest = (char *)manifest;
  request.template_ = &template_;
  ServiceCall call;
  call_pool(w, &call, "ApplyTemplate", &request.base, &sandplane__v1__template__descriptor);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
}

void apply_pool(World *w, const char *name, const char *template_name, int replicas, int strategy) {
  char resource[128], template_resource[128];
  snprintf(resource, sizeof resource, NS "/pools/%s", name);
  snprintf(template_resource, sizeof template_resource, NS "/templates/%s", template_name);
  Sandplane__V1__ApplyPoolRequest request = SANDPLANE__V1__APPLY_POOL_REQUEST__INIT;
  Pool pool = SANDPLANE__V1__POOL__INIT;
  pool.name = resource;
  pool.template_ = template_resource;
  pool.replicas = replicas;
  pool.update_strategy = (Sandplane__V1__Pool__UpdateStrategy)strategy;
  request.pool = &pool;
  ServiceCall call;
  call_pool(w, &call, "ApplyPool", &request.base, &sandplane__v1__pool__descriptor);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
}

Pool *get_pool(World *w, ServiceCall *call, const char *name) {
  char resource[128];
  snprintf(resource, sizeof resource, NS "/pools/%s", name);
  Sandplane__V1__GetPoolRequest request = SANDPLANE__V1__GET_POOL_REQUEST__INIT;
  request.name = resource;
  call_pool(w, call, "GetPool", &request.base, &sandplane__v1__pool__descriptor);
  if (call->status.kind == ERROR_NOT_FOUND)
    return NULL;
  assert_kind(call, ERROR_NONE);
  return call->answer;
}

typedef struct Want {
  World *w;
  const char *pool;
  int n;
  const char *reason;
} Want;

static bool is_ready(void *arg) {
  Want *want = arg;
  ServiceCall call;
  const Pool *pool = get_pool(want->w, &call, want->pool);
  bool holds = pool && pool->ready_count == want->n && pool->creating_count == 0;
  service_call_free(&call);
  return holds;
}

void until_ready(World *w, const char *pool, int n) {
  Want want = {.w = w, .pool = pool, .n = n};
  service_fixture_until(w->f->loop, is_ready, &want, "number of ready sandboxes");
}

static bool has_reason(void *arg) {
  Want *want = arg;
  ServiceCall call;
  const Pool *pool = get_pool(want->w, &call, want->pool);
  bool holds = pool && str_equal(pool->reason, want->reason);
  service_call_free(&call);
  return holds;
}

void until_reason(World *w, const char *pool, const char *reason) {
  Want want = {.w = w, .pool = pool, .reason = reason};
  service_fixture_until(w->f->loop, has_reason, &want, reason);
}

typedef struct Ids {
  Fixture *f;
  char *out;
} Ids;

static void on_page(void *arg, const SandboxPage *page, const Error *err) {
  Ids *ids = arg;
  assert_null(err);
  for (size_t i = 0; i < page->n_records; i++)
    if (page->records[i].state == SANDBOX_READY)
      snprintf(ids->out + strlen(ids->out), 1024 - strlen(ids->out), "%s ", page->records[i].id);
  loop_stop(ids->f->loop);
}

void ready_ids(World *w, const char *pool, char out[1024]) {
  out[0] = '\0';
  Ids ids = {w->f, out};
  state_list(w->f->state, "default", pool, "", 100, on_page, &ids);
  fixture_wait(w->f);
}
