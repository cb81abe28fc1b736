/* BatchCreateSandboxes and BatchDeleteSandboxes on two replicas. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "services/claims/testing/claims_fixture.h"

typedef Sandplane__V1__BatchCreateSandboxesRequest BatchRequestPb;
typedef Sandplane__V1__BatchCreateSandboxesResponse Batch;

static BatchRequestPb batch_from(const char *pool, int count) {
  BatchRequestPb request = SANDPLANE__V1__BATCH_CREATE_SANDBOXES_REQUEST__INIT;
  request.parent = NS;
  request.pool = (char *)pool;
  request.count = count;
  return request;
}

static void batch_start(World *w, int i, ServiceCall *call, const BatchRequestPb *request, int64_t timeout_ms) {
  service_call_start(call, &w->replicas[i], METHOD("BatchCreateSandboxes"), &request->base,
                     &sandplane__v1__batch_create_sandboxes_response__descriptor, timeout_ms);
}

static void batch_fails(World *w, const BatchRequestPb *request, ErrorKind kind, const char *field) {
  ServiceCall call;
  batch_start(w, 0, &call, request, 20000);
  call_wait(w, &call);
  assert_kind(&call, kind);
  assert_string_equal(call.status.field, field);
  service_call_free(&call);
}

static const Batch *batch_ok(World *w, int i, ServiceCall *call, const BatchRequestPb *request) {
  batch_start(w, i, call, request, 20000);
  call_wait(w, call);
  assert_kind(call, ERROR_NONE);
  return call->answer;
}

static void make_ready(World *w, const char *pool, int from, int n) {
  for (int i = from; i < from + n; i++) {
    char suffix[8];
    snprintf(suffix, sizeof suffix, "%05d", i);
    world_ready(w, pool, suffix);
  }
}

static void warm(void **state) {
  World *w = *state;
  world_pool(w, "many");
  make_ready(w, "many", 0, 5);
  BatchRequestPb request = batch_from(NS "/pools/many", 3);
  ServiceCall call, rest, get;
  const Batch *batch = batch_ok(w, 0, &call, &request);
  assert_int_equal(batch->n_sandboxes, 3);
  for (int i = 0; i < 3; i++) {
    char name[64];
    snprintf(name, sizeof name, NS "/sandboxes/many-%05d", i);
    assert_string_equal(batch->sandboxes[i]->name, name);
    assert_int_equal(batch->sandboxes[i]->state, SANDBOX_CLAIMED);
    get_sandbox(w, 1, &get, name);
    assert_string_equal(((Sandbox *)get.answer)->uid, batch->sandboxes[i]->uid);
    service_call_free(&get);
  }
  Google__Protobuf__Duration none = GOOGLE__PROTOBUF__DURATION__INIT;
  request.max_wait = &none;
  batch_fails(w, &request, ERROR_RESOURCE_EXHAUSTED, "");
  assert_int_equal(world_state(w, "many-00003"), SANDBOX_READY);
  request.min_count = 1;
  assert_int_equal(batch_ok(w, 1, &rest, &request)->n_sandboxes, 2);
  service_call_free(&rest);
  service_call_free(&call);
}

static void refused(void **state) {
  World *w = *state;
  BatchRequestPb request = batch_from(NS "/pools/none", 3);
  batch_fails(w, &request, ERROR_NOT_FOUND, "");
  request.count = 1001;
  batch_fails(w, &request, ERROR_INVALID_ARGUMENT, "count");
  request.count = 0;
  batch_fails(w, &request, ERROR_INVALID_ARGUMENT, "count");
  request.count = 2;
  request.min_count = 3;
  batch_fails(w, &request, ERROR_INVALID_ARGUMENT, "min_count");
  request.pool = "";
  batch_fails(w, &request, ERROR_INVALID_ARGUMENT, "pool");
}

static void two_gangs_one_pool(void **state) {
  World *w = *state;
  world_pool(w, "gang");
  BatchRequestPb request = batch_from(NS "/pools/gang", 3);
  ServiceCall a, b;
  make_ready(w, "gang", 0, 2);
  batch_start(w, 0, &a, &request, 60000);
  world_until_waiting(w, "gang", 3);
  batch_start(w, 1, &b, &request, 60000);
  world_until_waiting(w, "gang", 6);
  /* neither holds what the other one needs */
  assert_int_equal(world_state(w, "gang-00000"), SANDBOX_READY);
  make_ready(w, "gang", 2, 2);
  world_until_waiting(w, "gang", 3);
  assert_int_equal(world_state(w, "gang-00003"), SANDBOX_READY);
  make_ready(w, "gang", 4, 2);
  call_wait(w, &a);
  call_wait(w, &b);
  assert_kind(&a, ERROR_NONE);
  assert_kind(&b, ERROR_NONE);
  const Batch *x = a.answer, *y = b.answer;
  assert_int_equal(x->n_sandboxes, 3);
  assert_int_equal(y->n_sandboxes, 3);
  for (int i = 0; i < 9; i++)
    assert_string_not_equal(x->sandboxes[i / 3]->name, y->sandboxes[i % 3]->name);
  assert_true(x->sandboxes[0]->wait_duration->seconds + x->sandboxes[0]->wait_duration->nanos > 0);
  service_call_free(&a);
  service_call_free(&b);
}

static void leaving(void **state) {
  World *w = *state;
  world_pool(w, "left");
  BatchRequestPb request = batch_from(NS "/pools/left", 2);
  ServiceCall call;
  batch_start(w, 0, &call, &request, 60000);
  world_until_waiting(w, "left", 2);
  rpc_client_cancel(call.call);
  call_wait(w, &call);
  assert_kind(&call, ERROR_CANCELLED);
  service_call_free(&call);
  world_until_waiting(w, "left", 0);

  Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
  wait.nanos = 200000000;
  request.max_wait = &wait;
  batch_fails(w, &request, ERROR_RESOURCE_EXHAUSTED, "");
  world_until_waiting(w, "left", 0);

  /* Redis stands still with the batch on its way; the caller leaves meanwhile */
  request.max_wait = NULL;
  make_ready(w, "left", 0, 2);
  redis_process_signal(SIGSTOP);
  batch_start(w, 0, &call, &request, 20000);
  service_process_reached(&w->replicas[0], w->f->loop);
  rpc_client_cancel(call.call);
  call_wait(w, &call);
  redis_process_signal(SIGCONT);
  assert_kind(&call, ERROR_CANCELLED);
  service_call_free(&call);
  world_until_state(w, "left-00000", SANDBOX_RELEASING);
  world_until_state(w, "left-00001", SANDBOX_RELEASING);
}

static void request_ids(void **state) {
  World *w = *state;
  world_pool(w, "idem");
  BatchRequestPb request = batch_from(NS "/pools/idem", 2);
  request.request_id = "3f2a";
  ServiceCall a, b, c;
  /* at both replicas at once: one place, one batch */
  batch_start(w, 0, &a, &request, 60000);
  world_until_waiting(w, "idem", 2);
  batch_start(w, 1, &b, &request, 60000);
  make_ready(w, "idem", 0, 4);
  call_wait(w, &a);
  call_wait(w, &b);
  assert_kind(&a, ERROR_NONE);
  assert_kind(&b, ERROR_NONE);
  const Batch *x = a.answer, *y = b.answer;
  assert_int_equal(y->n_sandboxes, 2);
  assert_string_equal(x->sandboxes[0]->uid, y->sandboxes[0]->uid);
  assert_string_equal(x->sandboxes[1]->uid, y->sandboxes[1]->uid);
  delete_sandbox(w, 0, x->sandboxes[0]->name);
  delete_sandbox(w, 0, x->sandboxes[1]->name);
  batch_start(w, 1, &c, &request, 20000);
  call_wait(w, &c);
  assert_kind(&c, ERROR_FAILED_PRECONDITION);
  assert_string_equal(c.status.field, "request_id");
  service_call_free(&a);
  service_call_free(&b);
  service_call_free(&c);
  assert_int_equal(world_state(w, "idem-00003"), SANDBOX_READY);
}

static void batch_delete(World *w, char **names, size_t n, ErrorKind kind, const char *field) {
  Sandplane__V1__BatchDeleteSandboxesRequest request = SANDPLANE__V1__BATCH_DELETE_SANDBOXES_REQUEST__INIT;
  request.parent = NS;
  request.names = names;
  request.n_names = n;
  ServiceCall call;
  service_call(&call, w->f->loop, &w->replicas[1], METHOD("BatchDeleteSandboxes"), &request.base,
               &google__protobuf__empty__descriptor);
  assert_kind(&call, kind);
  assert_string_equal(call.status.field, field);
  service_call_free(&call);
}

static void deleted(void **state) {
  World *w = *state;
  world_pool(w, "del");
  world_pool(w, "other");
  make_ready(w, "del", 0, 3);
  make_ready(w, "other", 0, 1);
  BatchRequestPb request = batch_from(NS "/pools/del", 3), of_other = batch_from(NS "/pools/other", 1);
  ServiceCall a, b;
  batch_ok(w, 0, &a, &request);
  batch_ok(w, 0, &b, &of_other);
  service_call_free(&a);
  service_call_free(&b);
  char *bad[] = {NS "/sandboxes/del-00000", "del-00001"};
  batch_delete(w, bad, 2, ERROR_INVALID_ARGUMENT, "names[1]");
  char *foreign[] = {"namespaces/elsewhere/sandboxes/del-00000"};
  batch_delete(w, foreign, 1, ERROR_INVALID_ARGUMENT, "names[0]");
  batch_delete(w, NULL, 0, ERROR_INVALID_ARGUMENT, "names");
  assert_int_equal(world_state(w, "del-00000"), SANDBOX_CLAIMED);
  char *names[] = {NS "/sandboxes/del-00000", NS "/sandboxes/other-00000", NS "/sandboxes/del-00002",
                   NS "/sandboxes/del-zzzzz"};
  batch_delete(w, names, 4, ERROR_NONE, "");
  batch_delete(w, names, 4, ERROR_NONE, "");
  assert_int_equal(world_state(w, "del-00000"), SANDBOX_RELEASING);
  assert_int_equal(world_state(w, "del-00001"), SANDBOX_CLAIMED);
  assert_int_equal(world_state(w, "del-00002"), SANDBOX_RELEASING);
  assert_int_equal(world_state(w, "other-00000"), SANDBOX_RELEASING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(warm),    cmocka_unit_test(refused),     cmocka_unit_test(two_gangs_one_pool),
      cmocka_unit_test(leaving), cmocka_unit_test(request_ids), cmocka_unit_test(deleted),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
