/* See claims_fixture.h. */
#include "services/claims/testing/claims_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "lib/state/state_template.h"

int world_setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->f = fixture_new("test", true);
  const char *args[] = {"--redis-address",
                        getenv("REDIS_ADDRESS"),
                        "--router-url",
                        "http://router.test:8080",
                        "--log-level",
                        "warn",
                        NULL};
  for (int i = 0; i < 2; i++)
    service_process_start(&w->replicas[i], w->f->loop, "services/claims/sandplane-claims", 17401 + i, args);
  *state = w;
  return 0;
}

int world_teardown(void **state) {
  World *w = *state;
  for (int i = 0; i < 2; i++)
    assert_int_equal(service_process_stop(&w->replicas[i], w->f->loop), 0);
  fixture_free(w->f);
  free(w);
  return 0;
}

static void on_template(void *arg, const TemplateRecord *record, const Error *err) {
  World *w = arg;
  assert_null(err);
  loop_stop(w->f->loop);
}

void world_template(World *w, const char *name) {
  TemplateRecord t = {
      .ns = "default", .name = name, .manifest = "{}", .hash = "h1", .runtime_class = "gvisor", .image = "image:v1"};
  state_template_apply(w->f->state, &t, on_template, w);
  fixture_wait(w->f);
}

void world_pool_of(World *w, const char *name, const char *template_name) {
  PoolRecord pool = {.ns = "default", .name = name, .template_name = template_name, .strategy = 1};
  state_pool_apply(w->f->state, &pool, fixture_pool, w->f);
  fixture_wait(w->f);
  state_pool_set_hash(w->f->state, "default", name, "h1", "100/1000", fixture_count, w->f);
  fixture_wait(w->f);
}

void world_pool(World *w, const char *name) {
  world_pool_of(w, name, "t");
}

void world_ready(World *w, const char *pool, const char *suffix) {
  char id[64];
  snprintf(id, sizeof id, "%s-%s", pool, suffix);
  const char *ids[] = {id};
  state_register(w->f->state, "default", pool, "t", "h1", ids, 1, fixture_done, w->f);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
  state_ready(w->f->state, "default", id, "unix:/run/x", "gvisor", fixture_ready, w->f);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
}

SandboxState world_state(World *w, const char *id) {
  return fixture_get(w->f, id);
}

typedef struct Want {
  World *w;
  const char *name;
  int64_t n;
} Want;

static bool waiting_is(void *arg) {
  Want *want = arg;
  Fixture *f = want->w->f;
  f->pool.n_waiting = 0;
  state_pool_get(f->state, "default", want->name, fixture_pool, f);
  fixture_wait(f);
  return f->pool.n_waiting == want->n;
}

void world_until_waiting(World *w, const char *pool, int64_t n) {
  Want want = {w, pool, n};
  service_fixture_until(w->f->loop, waiting_is, &want, "number of waiters");
}

static bool state_is(void *arg) {
  Want *want = arg;
  return world_state(want->w, want->name) == (SandboxState)want->n;
}

void world_until_state(World *w, const char *id, SandboxState state) {
  Want want = {w, id, state};
  service_fixture_until(w->f->loop, state_is, &want, "state of a sandbox");
}

CreateRequest create_from(const char *pool) {
  CreateRequest request = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__INIT;
  request.parent = NS;
  request.pool = (char *)pool;
  return request;
}

void create_start(World *w, int i, ServiceCall *call, const CreateRequest *request, int64_t timeout_ms) {
  service_call_start(call, &w->replicas[i], METHOD("CreateSandbox"), &request->base,
                     &sandplane__v1__sandbox__descriptor, timeout_ms);
}

void call_wait(World *w, ServiceCall *call) {
  service_fixture_wait(w->f->loop, &call->done, "end of a call");
}

Sandbox *create_ok(World *w, int i, ServiceCall *call, const CreateRequest *request) {
  create_start(w, i, call, request, 20000);
  call_wait(w, call);
  assert_kind(call, ERROR_NONE);
  return call->answer;
}

void get_sandbox(World *w, int i, ServiceCall *call, const char *name) {
  Sandplane__V1__GetSandboxRequest request = SANDPLANE__V1__GET_SANDBOX_REQUEST__INIT;
  request.name = (char *)name;
  service_call(call, w->f->loop, &w->replicas[i], METHOD("GetSandbox"), &request.base,
               &sandplane__v1__sandbox__descriptor);
}

void delete_uid(World *w, int i, const char *name, const char *uid, ErrorKind kind) {
  Sandplane__V1__DeleteSandboxRequest request = SANDPLANE__V1__DELETE_SANDBOX_REQUEST__INIT;
  request.name = (char *)name;
  request.uid = (char *)uid;
  ServiceCall call;
  service_call(&call, w->f->loop, &w->replicas[i], METHOD("DeleteSandbox"), &request.base,
               &google__protobuf__empty__descriptor);
  assert_kind(&call, kind);
  service_call_free(&call);
}

void delete_sandbox(World *w, int i, const char *name) {
  delete_uid(w, i, name, "", ERROR_NONE);
}
