/* Tenants on two replicas: turns in the queue, quotas, and what a refused caller is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/quota_service.pb-c.h"
#include "lib/base/clock.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/testing/claims_fixture.h"

#define QUOTA(name) "/sandplane.v1.QuotaService/" name

typedef Sandplane__V1__Quota Quota;

static void apply(World *w, ServiceCall *call, const Quota *quota) {
  Sandplane__V1__ApplyQuotaRequest request = SANDPLANE__V1__APPLY_QUOTA_REQUEST__INIT;
  request.quota = (Quota *)quota;
  service_call(call, w->f->loop, &w->replicas[1], QUOTA("ApplyQuota"), &request.base,
               &sandplane__v1__quota__descriptor);
}

static void apply_ok(World *w, Quota quota) {
  ServiceCall call;
  apply(w, &call, &quota);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
}

/* As the router calls for a tenant. */
static void create_as(World *w, int i, ServiceCall *call, const char *tenant, const CreateRequest *request) {
  const RpcMetadata who = {"sandplane-tenant", tenant};
  service_call_start_with(call, &w->replicas[i], METHOD("CreateSandbox"), &who, 1, &request->base,
                          &sandplane__v1__sandbox__descriptor, 20000);
}

static Quota quota_of(const char *name) {
  Quota quota = SANDPLANE__V1__QUOTA__INIT;
  quota.name = (char *)name;
  return quota;
}

static void tenants_take_turns_on_two_replicas(void **state) {
  enum { EACH = 6 };
  World *w = *state;
  world_pool(w, "turns");
  CreateRequest request = create_from(NS "/pools/turns");
  ServiceCall calls[2 * EACH];
  int waiting = 0;
  /* all of a before all of b, each spread over both replicas */
  for (int i = 0; i < 2 * EACH; i++) {
    create_as(w, i % 2, &calls[i], i < EACH ? "turn-a" : "turn-b", &request);
    world_until_waiting(w, "turns", ++waiting);
  }
  for (int turn = 0; turn < 2 * EACH; turn++) {
    char suffix[8];
    snprintf(suffix, sizeof suffix, "aaaa%c", 'a' + turn);
    world_ready(w, "turns", suffix);
    /* a, b, a, b... each in the order they came */
    ServiceCall *next = &calls[turn % 2 * EACH + turn / 2];
    call_wait(w, next);
    assert_kind(next, ERROR_NONE);
    const Sandbox *box = next->answer;
    assert_string_equal(box->tenant, turn % 2 ? "turn-b" : "turn-a");
    assert_string_equal(strrchr(box->name, '-') + 1, suffix);
  }
  for (int i = 0; i < 2 * EACH; i++)
    service_call_free(&calls[i]);
}

/* ---- how soon a waiter hears of its sandbox: printed, not judged ---- */

enum { WAKES = 200 };

typedef struct Wake {
  World *w;
  bool made, answered;
  int64_t answer_us;
} Wake;

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Wake *wake = arg;
  assert_int_equal(status->kind, ERROR_NONE);
  wake->answer_us = clock_mono_us();
  wake->answered = true;
  if (wake->made)
    loop_stop(wake->w->f->loop);
}

static void on_made(void *arg, bool granted, const Error *err) {
  Wake *wake = arg;
  assert_true(granted && !err);
  wake->made = true;
  if (wake->answered)
    loop_stop(wake->w->f->loop);
}

static int by_size(const void *a, const void *b) {
  const int64_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static void waiters_of_both_replicas_are_woken(void **state) {
  World *w = *state;
  int64_t took_us[WAKES];
  world_pool(w, "wake");
  CreateRequest request = create_from(NS "/pools/wake");
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  for (int i = 0; i < WAKES; i++) {
    Wake wake = {.w = w};
    char id[32];
    snprintf(id, sizeof id, "wake-%05d", i);
    const char *ids[] = {id};
    rpc_client_unary(w->replicas[i % 2].channel, METHOD("CreateSandbox"), 20000, data, len, on_answer, &wake);
    world_until_waiting(w, "wake", 1);
    state_register(w->f->state, "default", "wake", "t", "h1", ids, 1, fixture_done, w->f);
    fixture_wait(w->f);
    int64_t from_us = clock_mono_us();
    state_ready(w->f->state, "default", id, "unix:/run/x", "gvisor", on_made, &wake);
    fixture_wait(w->f);
    assert_true(wake.answered);
    took_us[i] = wake.answer_us - from_us;
  }
  free(data);
  qsort(took_us, WAKES, sizeof took_us[0], by_size);
  printf("from state_ready to the waiter's answer: p50 %lld us, p99 %lld us, at most %lld us\n",
         (long long)took_us[WAKES / 2], (long long)took_us[WAKES * 99 / 100], (long long)took_us[WAKES - 1]);
}

/* ---- priorities and quotas ---- */

static void high_priority_goes_first(void **state) {
  World *w = *state;
  world_pool(w, "prio");
  CreateRequest request = create_from(NS "/pools/prio");
  ServiceCall low, high;
  create_as(w, 0, &low, "prio", &request);
  world_until_waiting(w, "prio", 1);
  request.priority = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__PRIORITY__HIGH;
  create_as(w, 1, &high, "prio", &request);
  world_until_waiting(w, "prio", 2);
  world_ready(w, "prio", "aaaaa");
  call_wait(w, &high);
  assert_kind(&high, ERROR_NONE);
  assert_false(low.done);
  world_ready(w, "prio", "bbbbb");
  call_wait(w, &low);
  assert_kind(&low, ERROR_NONE);
  service_call_free(&low);
  service_call_free(&high);
  request.priority = 9;
  create_as(w, 0, &low, "prio", &request);
  call_wait(w, &low);
  assert_kind(&low, ERROR_INVALID_ARGUMENT);
  assert_string_equal(low.status.field, "priority");
  service_call_free(&low);
}

static void a_full_quota_is_told(void **state) {
  World *w = *state;
  world_pool(w, "full");
  world_ready(w, "full", "aaaaa");
  world_ready(w, "full", "bbbbb");
  Quota quota = quota_of(NS "/quotas/full");
  quota.max_sandboxes = 1;
  apply_ok(w, quota);
  CreateRequest request = create_from(NS "/pools/full");
  ServiceCall call;
  create_as(w, 0, &call, "full", &request);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  char name[128];
  snprintf(name, sizeof name, "%s", ((Sandbox *)call.answer)->name);
  service_call_free(&call);
  create_as(w, 1, &call, "full", &request);
  call_wait(w, &call);
  assert_kind(&call, ERROR_RESOURCE_EXHAUSTED);
  assert_string_equal(call.status.field, "tenant:full");
  assert_string_equal(call.status.message,
                      "the quota of tenant full in namespace default allows 1 live sandboxes, and 1 are in use");
  service_call_free(&call);
  /* whoever comes past the router is of the default tenant, which has no quota here */
  create_ok(w, 0, &call, &request);
  assert_string_equal(((Sandbox *)call.answer)->tenant, "default");
  delete_sandbox(w, 0, ((Sandbox *)call.answer)->name);
  service_call_free(&call);
  delete_sandbox(w, 1, name);
  world_ready(w, "full", "ccccc");
  create_as(w, 0, &call, "full", &request);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
}

static void a_rate_says_when_to_come_again(void **state) {
  World *w = *state;
  world_pool(w, "rate");
  Quota quota = quota_of(NS "/quotas/rate");
  quota.claims_per_second = 0.002;
  quota.claim_burst = 1;
  apply_ok(w, quota);
  world_ready(w, "rate", "aaaaa");
  world_ready(w, "rate", "bbbbb");
  CreateRequest request = create_from(NS "/pools/rate");
  ServiceCall call;
  create_as(w, 0, &call, "rate", &request);
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
  create_as(w, 1, &call, "rate", &request);
  call_wait(w, &call);
  assert_kind(&call, ERROR_RESOURCE_EXHAUSTED);
  /* 500 s after the first, which was no more than a while ago */
  assert_in_range(call.status.retry_after_ms, 400000, 500000);
  service_call_free(&call);
}

static void delete_quota(World *w, ServiceCall *call, const char *name) {
  Sandplane__V1__DeleteQuotaRequest request = SANDPLANE__V1__DELETE_QUOTA_REQUEST__INIT;
  request.name = (char *)name;
  service_call(call, w->f->loop, &w->replicas[0], QUOTA("DeleteQuota"), &request.base,
               &google__protobuf__empty__descriptor);
  assert_kind(call, ERROR_NONE);
  service_call_free(call);
}

static void quotas_are_kept(void **state) {
  World *w = *state;
  ServiceCall call;
  Quota quota = quota_of("namespaces/kept/quotas/b");
  quota.max_cpu_milli = 1500;
  quota.max_memory_bytes = 1 << 30;
  quota.claims_per_second = 2.5;
  quota.weight = 7;
  apply_ok(w, quota);
  apply_ok(w, quota_of("namespaces/kept/quotas/a"));
  apply_ok(w, quota_of("namespaces/kept/quotas/c"));
  Sandplane__V1__GetQuotaRequest get = SANDPLANE__V1__GET_QUOTA_REQUEST__INIT;
  get.name = quota.name;
  service_call(&call, w->f->loop, &w->replicas[0], QUOTA("GetQuota"), &get.base, &sandplane__v1__quota__descriptor);
  assert_kind(&call, ERROR_NONE);
  const Quota *got = call.answer;
  assert_string_equal(got->name, quota.name);
  assert_int_equal(got->max_cpu_milli, 1500);
  assert_int_equal(got->max_memory_bytes, 1 << 30);
  assert_true(got->claims_per_second == 2.5);
  assert_int_equal(got->claim_burst, 1);
  assert_int_equal(got->weight, 7);
  service_call_free(&call);

  Sandplane__V1__ListQuotasRequest list = SANDPLANE__V1__LIST_QUOTAS_REQUEST__INIT;
  list.parent = (char *)"namespaces/kept";
  list.page_size = 2;
  service_call(&call, w->f->loop, &w->replicas[0], QUOTA("ListQuotas"), &list.base,
               &sandplane__v1__list_quotas_response__descriptor);
  assert_kind(&call, ERROR_NONE);
  const Sandplane__V1__ListQuotasResponse *page = call.answer;
  assert_int_equal(page->n_quotas, 2);
  assert_string_equal(page->quotas[0]->name, "namespaces/kept/quotas/a");
  char token[256];
  snprintf(token, sizeof token, "%s", page->next_page_token);
  service_call_free(&call);
  list.page_token = token;
  service_call(&call, w->f->loop, &w->replicas[1], QUOTA("ListQuotas"), &list.base,
               &sandplane__v1__list_quotas_response__descriptor);
  assert_kind(&call, ERROR_NONE);
  page = call.answer;
  assert_int_equal(page->n_quotas, 1);
  assert_string_equal(page->quotas[0]->name, "namespaces/kept/quotas/c");
  assert_string_equal(page->next_page_token, "");
  service_call_free(&call);

  delete_quota(w, &call, get.name);
  delete_quota(w, &call, get.name);
  service_call(&call, w->f->loop, &w->replicas[0], QUOTA("GetQuota"), &get.base, &sandplane__v1__quota__descriptor);
  assert_kind(&call, ERROR_NOT_FOUND);
  service_call_free(&call);
}

static void quotas_are_checked(void **state) {
  World *w = *state;
  static const struct {
    const char *name, *field;
    double rate;
    int64_t sandboxes;
    int32_t burst, weight;
  } CASES[] = {
      {"quotas/a", "quota.name", 0, 0, 0, 0},
      {NS "/quotas/A", "quota.name", 0, 0, 0, 0},
      {NS "/quotas/a", "quota.max_sandboxes", 0, -1, 0, 0},
      {NS "/quotas/a", "quota.claims_per_second", -1, 0, 0, 0},
      {NS "/quotas/a", "quota.claims_per_second", 1e6, 0, 0, 0},
      {NS "/quotas/a", "quota.claim_burst", 0, 0, 5, 0},
      {NS "/quotas/a", "quota.weight", 0, 0, 0, 1001},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    Quota quota = quota_of(CASES[i].name);
    quota.claims_per_second = CASES[i].rate;
    quota.max_sandboxes = CASES[i].sandboxes;
    quota.claim_burst = CASES[i].burst;
    quota.weight = CASES[i].weight;
    ServiceCall call;
    apply(w, &call, &quota);
    assert_kind(&call, ERROR_INVALID_ARGUMENT);
    assert_string_equal(call.status.field, CASES[i].field);
    service_call_free(&call);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tenants_take_turns_on_two_replicas),
      cmocka_unit_test(waiters_of_both_replicas_are_woken),
      cmocka_unit_test(high_priority_goes_first),
      cmocka_unit_test(a_full_quota_is_told),
      cmocka_unit_test(a_rate_says_when_to_come_again),
      cmocka_unit_test(quotas_are_kept),
      cmocka_unit_test(quotas_are_checked),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
