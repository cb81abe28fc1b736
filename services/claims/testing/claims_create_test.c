/* CreateSandbox on two replicas: warm, queued, given up, repeated, straight from a template. */
#include <signal.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_pool.h"
#include "services/claims/testing/claims_fixture.h"

static void warm(void **state) {
  World *w = *state;
  world_pool(w, "warm");
  world_ready(w, "warm", "aaaaa");
  CreateRequest request = create_from(NS "/pools/warm");
  Sandplane__V1__CreateSandboxRequest__LabelsEntry label = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__LABELS_ENTRY__INIT;
  label.key = "team";
  label.value = "a";
  Sandplane__V1__CreateSandboxRequest__LabelsEntry *labels[] = {&label};
  request.labels = labels;
  request.n_labels = 1;
  Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
  ttl.seconds = 60;
  request.ttl = &ttl;
  ServiceCall call, get;
  Sandbox *box = create_ok(w, 0, &call, &request);
  assert_string_equal(box->name, NS "/sandboxes/warm-aaaaa");
  assert_string_equal(box->pool, NS "/pools/warm");
  assert_string_equal(box->template_, NS "/templates/t");
  assert_int_equal(box->state, SANDBOX_CLAIMED);
  assert_int_equal(strlen(box->uid), 32);
  assert_string_equal(box->address, "http://router.test:8080");
  assert_string_equal(box->runtime_class, "gvisor");
  assert_int_equal(box->n_conditions, 1);
  assert_string_equal(box->conditions[0]->status, "True");
  assert_int_equal(box->n_labels, 1);
  assert_string_equal(box->labels[0]->value, "a");
  assert_int_equal(box->wait_duration->seconds + box->wait_duration->nanos, 0);
  assert_int_equal(box->expire_time->seconds - box->claim_time->seconds, 60);

  get_sandbox(w, 1, &get, box->name);
  assert_kind(&get, ERROR_NONE);
  assert_string_equal(((Sandbox *)get.answer)->uid, box->uid);
  service_call_free(&get);
  delete_sandbox(w, 1, box->name);
  delete_sandbox(w, 0, box->name);
  assert_int_equal(world_state(w, "warm-aaaaa"), SANDBOX_RELEASING);
  delete_sandbox(w, 0, NS "/sandboxes/warm-zzzzz");
  get_sandbox(w, 0, &get, NS "/sandboxes/warm-zzzzz");
  assert_kind(&get, ERROR_NOT_FOUND);
  service_call_free(&get);
  service_call_free(&call);
}

static void deleted_by_uid(void **state) {
  World *w = *state;
  world_pool(w, "named");
  world_ready(w, "named", "aaaaa");
  world_ready(w, "named", "bbbbb");
  CreateRequest request = create_from(NS "/pools/named");
  ServiceCall call;
  Sandbox *box = create_ok(w, 0, &call, &request);
  const char *stale = "0123456789abcdef0123456789abcdef";
  const char *other = strcmp(box->name, NS "/sandboxes/named-aaaaa") ? "named-aaaaa" : "named-bbbbb";
  CLEANUP(str_freep) char *other_name = str_printf(NS "/sandboxes/%s", other);
  delete_uid(w, 0, box->name, stale, ERROR_ABORTED);
  delete_uid(w, 1, other_name, stale, ERROR_ABORTED);
  assert_int_equal(world_state(w, strrchr(box->name, '/') + 1), SANDBOX_CLAIMED);
  assert_int_equal(world_state(w, other), SANDBOX_READY);
  delete_uid(w, 0, box->name, box->uid, ERROR_NONE);
  assert_int_equal(world_state(w, strrchr(box->name, '/') + 1), SANDBOX_RELEASING);
  delete_uid(w, 1, box->name, box->uid, ERROR_NONE);
  delete_uid(w, 1, NS "/sandboxes/named-zzzzz", stale, ERROR_NONE);
  service_call_free(&call);
}

static void waiters_on_two_replicas_are_served_in_order(void **state) {
  World *w = *state;
  world_pool(w, "queue");
  CreateRequest request = create_from(NS "/pools/queue");
  ServiceCall first, second;
  create_start(w, 0, &first, &request, 20000);
  world_until_waiting(w, "queue", 1);
  create_start(w, 1, &second, &request, 20000);
  world_until_waiting(w, "queue", 2);
  world_ready(w, "queue", "aaaaa");
  call_wait(w, &first);
  assert_kind(&first, ERROR_NONE);
  assert_false(second.done);
  world_ready(w, "queue", "bbbbb");
  call_wait(w, &second);
  assert_kind(&second, ERROR_NONE);
  const Sandbox *a = first.answer, *b = second.answer;
  assert_string_equal(a->name, NS "/sandboxes/queue-aaaaa");
  assert_string_equal(b->name, NS "/sandboxes/queue-bbbbb");
  assert_true(a->wait_duration->seconds + a->wait_duration->nanos > 0);
  service_call_free(&first);
  service_call_free(&second);
}

static void giving_up_leaves_the_queue(void **state) {
  World *w = *state;
  world_pool(w, "patience");
  CreateRequest request = create_from(NS "/pools/patience");
  ServiceCall call;
  create_start(w, 0, &call, &request, 20000);
  world_until_waiting(w, "patience", 1);
  rpc_client_cancel(call.call);
  call_wait(w, &call);
  assert_kind(&call, ERROR_CANCELLED);
  service_call_free(&call);
  world_until_waiting(w, "patience", 0);

  create_start(w, 1, &call, &request, 300);
  call_wait(w, &call);
  assert_kind(&call, ERROR_DEADLINE_EXCEEDED);
  service_call_free(&call);
  world_until_waiting(w, "patience", 0);

  Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
  request.max_wait = &wait;
  for (wait.nanos = 0; wait.nanos <= 200000000; wait.nanos += 200000000) {
    create_start(w, 0, &call, &request, 20000);
    call_wait(w, &call);
    assert_kind(&call, ERROR_RESOURCE_EXHAUSTED);
    assert_true(call.status.retry_after_ms > 0);
    service_call_free(&call);
    world_until_waiting(w, "patience", 0);
  }
  world_ready(w, "patience", "aaaaa");
  assert_int_equal(world_state(w, "patience-aaaaa"), SANDBOX_READY);
}

/* Redis stands still with the claim on its way; the caller leaves meanwhile. */
static void a_caller_who_left_gets_nothing(void **state) {
  World *w = *state;
  world_pool(w, "gone");
  world_ready(w, "gone", "aaaaa");
  CreateRequest request = create_from(NS "/pools/gone");
  ServiceCall call;
  redis_process_signal(SIGSTOP);
  create_start(w, 0, &call, &request, 20000);
  service_process_reached(&w->replicas[0], w->f->loop);
  rpc_client_cancel(call.call);
  call_wait(w, &call);
  redis_process_signal(SIGCONT);
  assert_kind(&call, ERROR_CANCELLED);
  service_call_free(&call);
  world_until_state(w, "gone-aaaaa", SANDBOX_RELEASING);
}

static void a_request_id_names_one_sandbox(void **state) {
  World *w = *state;
  world_pool(w, "again");
  world_ready(w, "again", "aaaaa");
  world_ready(w, "again", "bbbbb");
  CreateRequest request = create_from(NS "/pools/again");
  request.request_id = "7c9e6679";
  ServiceCall a, b;
  Sandbox *one = create_ok(w, 0, &a, &request), *two = create_ok(w, 1, &b, &request);
  assert_string_equal(one->uid, two->uid);
  assert_string_equal(one->name, two->name);
  delete_sandbox(w, 0, one->name);
  service_call_free(&a);
  create_start(w, 0, &a, &request, 20000);
  call_wait(w, &a);
  assert_kind(&a, ERROR_FAILED_PRECONDITION);
  assert_string_equal(a.status.field, "request_id");
  service_call_free(&a);
  service_call_free(&b);
}

/* The same claim waits on both replicas; one sandbox serves both calls, and one giving up harms nothing. */
static void a_request_id_waits_once(void **state) {
  World *w = *state;
  world_pool(w, "once");
  CreateRequest request = create_from(NS "/pools/once");
  request.request_id = "once";
  ServiceCall calls[3];
  create_start(w, 0, &calls[0], &request, 20000);
  world_until_waiting(w, "once", 1);
  create_start(w, 1, &calls[1], &request, 20000);
  create_start(w, 1, &calls[2], &request, 300);
  call_wait(w, &calls[2]);
  assert_kind(&calls[2], ERROR_DEADLINE_EXCEEDED);
  world_until_waiting(w, "once", 1);
  world_ready(w, "once", "aaaaa");
  for (int i = 0; i < 2; i++) {
    call_wait(w, &calls[i]);
    assert_kind(&calls[i], ERROR_NONE);
    assert_string_equal(((Sandbox *)calls[i].answer)->name, NS "/sandboxes/once-aaaaa");
  }
  for (int i = 0; i < 3; i++)
    service_call_free(&calls[i]);
}

typedef struct Retry {
  World *w;
  CreateRequest request;
  ServiceCall call;
} Retry;

/* The directory hears of a pool a moment after it was made. */
static bool claimed_without_waiting(void *arg) {
  Retry *r = arg;
  create_start(r->w, 0, &r->call, &r->request, 20000);
  call_wait(r->w, &r->call);
  if (r->call.status.kind == ERROR_NONE)
    return true;
  assert_kind(&r->call, ERROR_RESOURCE_EXHAUSTED);
  service_call_free(&r->call);
  return false;
}

static void a_template_is_served_from_any_pool_of_it(void **state) {
  World *w = *state;
  world_template(w, "many");
  world_pool_of(w, "many-a", "many");
  world_pool_of(w, "many-b", "many");
  world_ready(w, "many-b", "aaaaa");
  Google__Protobuf__Duration zero = GOOGLE__PROTOBUF__DURATION__INIT;
  Retry r = {.w = w, .request = create_from("")};
  r.request.template_ = NS "/templates/many";
  r.request.max_wait = &zero;
  service_fixture_until(w->f->loop, claimed_without_waiting, &r, "warm sandbox of the other pool");
  assert_string_equal(((Sandbox *)r.call.answer)->name, NS "/sandboxes/many-b-aaaaa");
  service_call_free(&r.call);

  /* Repeated, it stays with the pool it went to first. */
  world_ready(w, "many-a", "aaaaa");
  r.request.request_id = "pinned";
  service_fixture_until(w->f->loop, claimed_without_waiting, &r, "warm sandbox of the first pool");
  assert_string_equal(((Sandbox *)r.call.answer)->name, NS "/sandboxes/many-a-aaaaa");
  world_ready(w, "many-b", "bbbbb");
  world_ready(w, "many-b", "ccccc");
  ServiceCall again;
  Sandbox *box = create_ok(w, 1, &again, &r.request);
  assert_string_equal(box->uid, ((Sandbox *)r.call.answer)->uid);
  service_call_free(&again);
  service_call_free(&r.call);
}

static void a_template_without_pools_gets_one_of_its_own(void **state) {
  World *w = *state;
  world_template(w, "cold");
  CreateRequest request = create_from("");
  request.template_ = NS "/templates/cold";
  ServiceCall call;
  create_start(w, 1, &call, &request, 20000);
  world_until_waiting(w, "shadow-pool-cold", 1);
  world_ready(w, "shadow-pool-cold", "aaaaa");
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  Sandbox *box = call.answer;
  assert_string_equal(box->pool, NS "/pools/shadow-pool-cold");
  assert_true(box->wait_duration->seconds + box->wait_duration->nanos > 0);
  service_call_free(&call);
  request.template_ = NS "/templates/nothing";
  create_start(w, 1, &call, &request, 20000);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NOT_FOUND);
  assert_contains(call.status.message, "nothing");
  service_call_free(&call);
}

static void unknown_and_deleted_pools(void **state) {
  World *w = *state;
  CreateRequest request = create_from(NS "/pools/nowhere");
  ServiceCall call;
  create_start(w, 0, &call, &request, 20000);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NOT_FOUND);
  assert_contains(call.status.message, "nowhere");
  service_call_free(&call);
  world_pool(w, "doomed");
  request.pool = NS "/pools/doomed";
  create_start(w, 0, &call, &request, 20000);
  world_until_waiting(w, "doomed", 1);
  state_pool_delete(w->f->state, "default", "doomed", fixture_done, w->f);
  fixture_wait(w->f);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NOT_FOUND);
  service_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(warm),
      cmocka_unit_test(deleted_by_uid),
      cmocka_unit_test(waiters_on_two_replicas_are_served_in_order),
      cmocka_unit_test(giving_up_leaves_the_queue),
      cmocka_unit_test(a_caller_who_left_gets_nothing),
      cmocka_unit_test(a_request_id_names_one_sandbox),
      cmocka_unit_test(a_request_id_waits_once),
      cmocka_unit_test(a_template_is_served_from_any_pool_of_it),
      cmocka_unit_test(a_template_without_pools_gets_one_of_its_own),
      cmocka_unit_test(unknown_and_deleted_pools),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
