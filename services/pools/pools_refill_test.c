/* Pools are filled, emptied, rolled out and told about, whoever leads and whatever the reconciler does. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_template.h"
#include "services/pools/pools_fixture.h"

enum { ON_REPLENISH = 1, RECREATE = 2 };

static void claim(World *w, const char *pool, const char *uid, int64_t max_wait_ms) {
  ClaimRequest request = {.ns = "default", .pool = pool, .uid = uid, .request_id = "", .max_wait_ms = max_wait_ms};
  state_claim(w->f->state, &request, fixture_claimed, w->f);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
}

static void scale(World *w, const char *name, int replicas) {
  Sandplane__V1__ScalePoolRequest request = SANDPLANE__V1__SCALE_POOL_REQUEST__INIT;
  request.name = (char *)name;
  request.replicas = replicas;
  ServiceCall call;
  call_pool(w, &call, "ScalePool", &request.base, &sandplane__v1__pool__descriptor);
  assert_kind(&call, ERROR_NONE);
  assert_int_equal(((Pool *)call.answer)->replicas, replicas);
  service_call_free(&call);
}

static void a_pool_waits_for_its_template(void **state) {
  World *w = *state;
  apply_pool(w, "early", "early", 3, 0);
  until_reason(w, "early", "TemplateNotFound");
  apply_template(w, "early h1");
  until_ready(w, "early", 3);
  until_reason(w, "early", "");
  assert_string_equal(w->last_hash, "h1");
}

static void what_is_claimed_is_replaced(void **state) {
  World *w = *state;
  apply_template(w, "keep h1");
  apply_pool(w, "keep", "keep", 3, 0);
  until_ready(w, "keep", 3);
  claim(w, "keep", "u1", 0);
  claim(w, "keep", "u2", 0);
  until_ready(w, "keep", 3);
  ServiceCall call;
  assert_int_equal(get_pool(w, &call, "keep")->claimed_count, 2);
  service_call_free(&call);
  scale(w, NS "/pools/keep", 5);
  until_ready(w, "keep", 5);
  scale(w, NS "/pools/keep", 1);
  until_ready(w, "keep", 1);
  scale(w, NS "/pools/keep", 0);
  until_ready(w, "keep", 0);
}

static bool is_served(void *arg) {
  World *w = arg;
  state_confirm(w->f->state, "default", w->f->text, w->f->token, fixture_record, w->f);
  fixture_wait(w->f);
  return w->f->err.kind == ERROR_NONE;
}

static void waiters_are_served(void **state) {
  World *w = *state;
  apply_template(w, "wait h1");
  apply_pool(w, "wait", "wait", 0, 0);
  claim(w, "wait", "w1", 60000);
  assert_int_equal(w->f->outcome, CLAIM_QUEUED);
  snprintf(w->f->text, sizeof w->f->text, "%s", "wait");
  service_fixture_until(w->f->loop, is_served, w, "waiter of an empty pool");
  until_ready(w, "wait", 0);

  PoolRecord implicit = {.ns = "default", .name = "shadow-pool-wait", .template_name = "wait", .implicit = true};
  state_pool_apply(w->f->state, &implicit, fixture_pool, w->f);
  fixture_wait(w->f);
  claim(w, "shadow-pool-wait", "w2", 60000);
  snprintf(w->f->text, sizeof w->f->text, "%s", "shadow-pool-wait");
  service_fixture_until(w->f->loop, is_served, w, "waiter of an implicit pool");
  until_ready(w, "shadow-pool-wait", 0);
}

typedef struct Replaced {
  World *w;
  const char *pool;
  char old[1024];
} Replaced;

static bool all_are_new(void *arg) {
  Replaced *r = arg;
  char now[1024];
  ready_ids(r->w, r->pool, now);
  size_t n = 0;
  char *rest = now;
  for (char *id; (id = strsep(&rest, " "));) {
    if (*id && strstr(r->old, id))
      return false;
    n += *id != '\0';
  }
  return n == 4;
}

static void recreate_replaces_all(void **state) {
  World *w = *state;
  apply_template(w, "roll h1");
  apply_pool(w, "roll", "roll", 4, RECREATE);
  until_ready(w, "roll", 4);
  Replaced r = {.w = w, .pool = "roll"};
  ready_ids(w, "roll", r.old);
  apply_template(w, "roll h2");
  service_fixture_until(w->f->loop, all_are_new, &r, "replacement of all");
  assert_string_equal(w->last_hash, "h2");
}

/* Whichever replica is asked, and before the new ones are there: a claim right behind the answer gets no old one. */
static void a_change_counts_when_it_is_acknowledged(void **state) {
  World *w = *state;
  apply_template(w, "other h3");
  for (int i = 0; i < 6; i++) {
    CLEANUP(str_freep) char *name = str_printf("now%d", i), *old = str_printf("now%d h1", i);
    CLEANUP(str_freep) char *new = str_printf("now%d h2", i);
    apply_template(w, old);
    apply_pool(w, name, name, 4, i < 4 ? RECREATE : ON_REPLENISH);
    until_ready(w, name, 4);
    claim(w, name, name, 0);
    assert_int_equal(w->f->outcome, CLAIM_GRANTED);
    w->mode = MODE_FORGET;
    if (i >= 2 && i < 4)
      apply_pool(w, name, "other", 4, RECREATE);
    else
      apply_template(w, new);
    if (i >= 4)
      apply_pool(w, name, name, 4, RECREATE);
    claim(w, name, new, 0);
    assert_int_equal(w->f->outcome, CLAIM_EMPTY);
    w->mode = MODE_MAKE;
  }
}

static void ignore_template(void *arg, const TemplateRecord *record, const Error *err) {}

/* The hint of the template makes the index be read while the pool is on its way into it. */
static void a_pool_and_its_template_at_once(void **state) {
  World *w = *state;
  for (int i = 0; i < 40; i++) {
    char name[32];
    snprintf(name, sizeof name, "both%d", i);
    TemplateRecord t = {
        .ns = "default", .name = name, .manifest = "{}", .hash = "h1", .runtime_class = "", .image = ""};
    PoolRecord p = {.ns = "default", .name = name, .template_name = name, .replicas = 2, .strategy = ON_REPLENISH};
    state_template_apply(w->f->state, &t, ignore_template, NULL);
    state_pool_apply(w->f->state, &p, fixture_pool, w->f);
    fixture_wait(w->f);
    until_ready(w, name, 2);
    state_pool_get(w->f->state, "default", name, fixture_pool, w->f);
    fixture_wait(w->f);
    assert_int_equal(w->f->pool.n_created, 2);
  }
}

static void on_replenish_keeps_the_old(void **state) {
  World *w = *state;
  apply_template(w, "calm h1");
  apply_pool(w, "calm", "calm", 2, ON_REPLENISH);
  until_ready(w, "calm", 2);
  char before[1024], after[1024];
  ready_ids(w, "calm", before);
  apply_template(w, "calm h2");
  scale(w, NS "/pools/calm", 3);
  until_ready(w, "calm", 3);
  ready_ids(w, "calm", after);
  char *rest = before;
  for (char *id; (id = strsep(&rest, " "));)
    assert_contains(after, id);
  /* The fresh one is handed out first. */
  claim(w, "calm", "c1", 0);
  assert_lacks(before, w->f->id);
}

static void deleting_spares_claims(void **state) {
  World *w = *state;
  apply_template(w, "bye h1");
  apply_pool(w, "bye", "bye", 2, 0);
  until_ready(w, "bye", 2);
  claim(w, "bye", "b1", 0);
  char claimed[64];
  memcpy(claimed, w->f->id, sizeof claimed);
  Sandplane__V1__DeletePoolRequest request = SANDPLANE__V1__DELETE_POOL_REQUEST__INIT;
  request.name = NS "/pools/bye";
  for (int i = 0; i < 2; i++) {
    ServiceCall call;
    call_pool(w, &call, "DeletePool", &request.base, &google__protobuf__empty__descriptor);
    assert_kind(&call, ERROR_NONE);
    service_call_free(&call);
  }
  ServiceCall call;
  assert_null(get_pool(w, &call, "bye"));
  service_call_free(&call);
  assert_int_equal(fixture_get(w->f, claimed), SANDBOX_CLAIMED);
}

static void failed_starts_are_told_and_slowed(void **state) {
  World *w = *state;
  apply_template(w, "bad h1");
  w->mode = MODE_FAIL;
  w->n_orders = 0;
  apply_pool(w, "bad", "bad", 3, 0);
  until_reason(w, "bad", "ImageNotFound");
  /* The first step, and what a pause of 1 s and more lets through while others are looked at. */
  assert_true(w->n_orders <= 5);
  w->mode = MODE_MAKE;
  until_ready(w, "bad", 3);
  until_reason(w, "bad", "");
}

static void refusals_are_told(void **state) {
  World *w = *state;
  apply_template(w, "no h1");
  w->mode = MODE_REFUSE;
  apply_pool(w, "no", "no", 1, 0);
  until_reason(w, "no", "TemplateRefused");
  w->mode = MODE_MAKE;
  until_ready(w, "no", 1);
}

/* The standby is met and passed over: nobody is told that the reconciler is unavailable, and nobody waits. */
static void the_replica_that_leads_is_found(void **state) {
  World *w = *state;
  apply_template(w, "turns h1");
  w->mode = MODE_TURNS;
  bool soon = false;
  /* sooner than an order is repeated, which is after a second: on a busy machine once in a few times is enough, and one
   * that waits for that never is */
  for (int i = 0; i < 10 && !soon; i++) {
    CLEANUP(str_freep) char *pool = str_printf("turns%d", i);
    w->n_turns = 0;
    apply_pool(w, pool, "turns", 2, 0);
    until_ready(w, pool, 2);
    assert_int_equal(w->n_turns, 2);
    soon = w->turn_gap_ms < 900;
  }
  assert_true(soon);
  w->mode = MODE_MAKE;
}

static bool two_ordered(void *arg) {
  return ((World *)arg)->n_orders >= 2;
}

static void forgotten_orders_are_repeated(void **state) {
  World *w = *state;
  apply_template(w, "forget h1");
  w->mode = MODE_FORGET;
  w->n_orders = 0;
  apply_pool(w, "forget", "forget", 2, 0);
  service_fixture_until(w->f->loop, two_ordered, w, "order of two");
  w->mode = MODE_MAKE;
  until_ready(w, "forget", 2);
  assert_true(w->n_orders >= 4);
}

/* This test's own connection has to come back first. */
static bool is_claimed(void *arg) {
  World *w = arg;
  ClaimRequest request = {.ns = "default", .pool = "crash", .uid = "k1", .request_id = ""};
  state_claim(w->f->state, &request, fixture_claimed, w->f);
  fixture_wait(w->f);
  return w->f->err.kind == ERROR_NONE && w->f->outcome == CLAIM_GRANTED;
}

static void redis_dies_and_comes_back(void **state) {
  World *w = *state;
  apply_template(w, "crash h1");
  apply_pool(w, "crash", "crash", 2, 0);
  until_ready(w, "crash", 2);
  redis_process_signal(SIGKILL);
  redis_process_start();
  service_fixture_until(w->f->loop, is_claimed, w, "claim after the restart");
  until_ready(w, "crash", 2);
}

/* Whichever leads: one after the other ends, and the last one alone still fills. */
static void another_replica_takes_over(void **state) {
  World *w = *state;
  apply_template(w, "lead h1");
  apply_pool(w, "lead", "lead", 2, 0);
  until_ready(w, "lead", 2);
  assert_int_equal(service_process_stop(&w->replicas[0], w->f->loop), 0);
  scale(w, NS "/pools/lead", 3);
  until_ready(w, "lead", 3);
  const char *args[] = {
      "--redis-address", getenv("REDIS_ADDRESS"), "--reconciler", "127.0.0.1:17403", "--log-level", "error", NULL};
  service_process_start(&w->replicas[0], w->f->loop, "services/pools/sandplane-pools", 17401, args);
  /* No farewell this time: the lease has to run out. */
  service_process_kill(&w->replicas[1], w->f->loop);
  scale(w, NS "/pools/lead", 4);
  until_ready(w, "lead", 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pool_waits_for_its_template),
      cmocka_unit_test(what_is_claimed_is_replaced),
      cmocka_unit_test(waiters_are_served),
      cmocka_unit_test(recreate_replaces_all),
      cmocka_unit_test(a_change_counts_when_it_is_acknowledged),
      cmocka_unit_test(a_pool_and_its_template_at_once),
      cmocka_unit_test(on_replenish_keeps_the_old),
      cmocka_unit_test(deleting_spares_claims),
      cmocka_unit_test(failed_starts_are_told_and_slowed),
      cmocka_unit_test(refusals_are_told),
      cmocka_unit_test(the_replica_that_leads_is_found),
      cmocka_unit_test(forgotten_orders_are_repeated),
      cmocka_unit_test(redis_dies_and_comes_back),
      cmocka_unit_test(another_replica_takes_over),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
