/* Every transition, and every one that is refused, against a real server. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "lib/state/state_call.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_events.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

#define T0 1000000

static int setup(void **state) {
  Fixture *f = fixture_new("r1", true);
  state_set_now(f->state, T0);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

static void release(Fixture *f, const char *id, const char *uid) {
  state_release(f->state, "default", id, uid, "Deleted", fixture_done, f);
  fixture_wait(f);
}

static void gone(Fixture *f, const char *id) {
  state_gone(f->state, "default", id, fixture_done, f);
  fixture_wait(f);
}

static void get_pool(Fixture *f) {
  state_pool_get(f->state, "default", "p", fixture_pool, f);
  fixture_wait(f);
}

static void claims_the_oldest_once(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  state_set_now(f->state, T0 + 1);
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  assert_string_equal(f->labels, "team=\"ü\";");
  assert_string_equal(f->env, "A=b\\c;");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u2", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u3", "", 0, 0), CLAIM_EMPTY);
}

static void fresh_before_stale(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  state_pool_set_hash(f->state, "default", "p", "h2", "100/1000", fixture_count, f);
  fixture_wait(f);
  const char *id = "p-bbbbb";
  state_register(f->state, "default", "p", "t", "h2", &id, 1, fixture_done, f);
  fixture_wait(f);
  state_ready(f->state, "default", id, "unix:/y", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-bbbbb");
  state_retire(f->state, "default", "p", RETIRE_STALE, 10, "Stale", fixture_count, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
}

static void set_hash(Fixture *f, const char *hash, int64_t gone) {
  state_pool_set_hash(f->state, "default", "p", hash, "100/1000", fixture_count, f);
  fixture_wait(f);
  assert_int_equal(f->number, gone);
}

static void recreate_gives_nobody_a_stale_one(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  PoolRecord p = {.ns = "default", .name = "p", .template_name = "t", .replicas = 3, .strategy = 2};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  const char *starting = "p-eeeee", *late = "p-ccccc", *fresh = "p-ddddd";
  state_register(f->state, "default", "p", "t", "h1", &starting, 1, fixture_done, f);
  fixture_wait(f);
  set_hash(f, "h2", 2);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, starting), SANDBOX_RELEASING);
  /* ordered by a leader that had not heard of it */
  state_register(f->state, "default", "p", "t", "h1", &late, 1, fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_claim(f, "u2", "", 0, 0), CLAIM_EMPTY);
  /* not to whoever waits either */
  assert_int_equal(fixture_claim(f, "u3", "", 0, 5000), CLAIM_QUEUED);
  state_ready(f->state, "default", late, "unix:/x", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, late), SANDBOX_RELEASING);
  state_register(f->state, "default", "p", "t", "h2", &fresh, 1, fixture_done, f);
  fixture_wait(f);
  state_ready(f->state, "default", fresh, "unix:/y", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_true(f->flag);
}

/* p-aaaaa and p-bbbbb are ready, p-ccccc and p-ddddd are not, and p-ddddd alone is fresh. */
static void make_mixed(Fixture *f) {
  fixture_make_pool(f, 4);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  const char *old = "p-ccccc", *new = "p-ddddd";
  state_register(f->state, "default", "p", "t", "h1", &old, 1, fixture_done, f);
  fixture_wait(f);
  state_pool_set_hash(f->state, "default", "p", "h2", "100/1000", fixture_count, f);
  fixture_wait(f);
  state_register(f->state, "default", "p", "t", "h2", &new, 1, fixture_done, f);
  fixture_wait(f);
}

static void retire(Fixture *f, StateRetire which, size_t n, int64_t wanted) {
  state_retire(f->state, "default", "p", which, n, "Surplus", fixture_count, f);
  fixture_wait(f);
  assert_int_equal(f->number, wanted);
}

static void starting_ones_are_retired_first(void **state) {
  Fixture *f = *state;
  make_mixed(f);
  retire(f, RETIRE_ANY, 0, 0);
  retire(f, RETIRE_ANY, 3, 3);
  assert_int_equal(fixture_get(f, "p-ccccc"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-ddddd"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
}

/* The template is as it was; what it made stale before stood there for ON_REPLENISH. */
static void a_strategy_that_becomes_recreate(void **state) {
  Fixture *f = *state;
  make_mixed(f);
  set_hash(f, "h2", 0);
  PoolRecord p = {.ns = "default", .name = "p", .template_name = "t", .replicas = 4, .strategy = 2};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  set_hash(f, "h2", 3);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-ccccc"), SANDBOX_RELEASING);
  assert_int_equal(fixture_get(f, "p-ddddd"), SANDBOX_CREATING);
  set_hash(f, "h2", 0);
}

static void request_id_names_one_claim(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u1", "req", 0, 0), CLAIM_GRANTED);
  char first[64];
  snprintf(first, sizeof first, "%s", f->id);
  assert_int_equal(fixture_claim(f, "u2", "req", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, first);
  assert_string_equal(f->uid, "u1");
  release(f, first, "");
  gone(f, first);
  assert_int_equal(fixture_claim(f, "u3", "req", 0, 0), CLAIM_ENDED);
}

/* made = removed + what there is, whatever happens to them. */
static void check_account(Fixture *f, int64_t created, int64_t destroyed) {
  get_pool(f);
  assert_int_equal(f->pool.n_created, created);
  assert_int_equal(f->pool.n_destroyed, destroyed);
  assert_int_equal(created - destroyed, f->pool.n_creating + f->pool.n_ready + f->pool.n_claimed + f->pool.n_releasing);
}

static void note_reaped(void *arg, int64_t releasing_ms) {
  *(int64_t *)arg = releasing_ms;
}

static void accounts_are_exact(void **state) {
  Fixture *f = *state;
  int64_t reaped_ms = -1;
  state_on_reaped(f->state, note_reaped, &reaped_ms);
  fixture_make_pool(f, 3);
  get_pool(f);
  assert_int_equal(f->pool.n_created, -1);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  const char *id = "p-ccccc";
  for (int again = 0; again < 2; again++) {
    state_register(f->state, "default", "p", "t", "h1", &id, 1, fixture_done, f);
    fixture_wait(f);
  }
  check_account(f, 3, 0);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  check_account(f, 3, 0);
  release(f, "p-aaaaa", "u1");
  check_account(f, 3, 0);
  state_set_now(f->state, T0 + 70);
  for (int again = 0; again < 2; again++)
    gone(f, "p-aaaaa");
  assert_int_equal(reaped_ms, 70);
  check_account(f, 3, 1);
  state_failed(f->state, "default", "p-ccccc", "Broken", "it is", fixture_done, f);
  fixture_wait(f);
  check_account(f, 3, 2);
  SandboxRecord held = {.ns = "default", .id = "p-ddddd", .uid = "9-9", .template_name = "t", .route = "unix:/d"};
  for (int again = 0; again < 2; again++) {
    state_restore(f->state, &held, false, fixture_done, f);
    fixture_wait(f);
    assert_int_equal(f->err.kind, ERROR_NONE);
  }
  check_account(f, 4, 2);
}

static void calls_are_counted(void **state) {
  Fixture *f = *state;
  Metrics *metrics = metrics_new(NULL, 0);
  state_count(f->state, metrics);
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  fixture_claim(f, "u1", "", 0, 0);
  fixture_claim(f, "u2", "", 0, 0);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(metrics, &out), 0);
  assert_contains(buf_str(&out), "sandplane_redis_calls_total{call=\"claim\",outcome=\"ok\"} 2\n");
  assert_contains(buf_str(&out), "sandplane_redis_calls_total{call=\"ZADD\",outcome=\"ok\"} 1\n");
  assert_lacks(buf_str(&out), "\nsandplane_redis_round_trip_seconds_count 0\n");
  /* pool_apply, ZADD, pool_set_hash, register, ready and two claims; looking at the pool changes nothing */
  assert_contains(buf_str(&out), "\nsandplane_redis_commits_total 7\n");
  state_count(f->state, NULL);
  metrics_free(metrics);
}

static void waiters_are_served_in_order(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  assert_int_equal(fixture_claim(f, "u1", "", 5000, 60000), CLAIM_QUEUED);
  assert_string_equal(f->token, "u1");
  assert_int_equal(fixture_claim(f, "u2", "", 0, 60000), CLAIM_QUEUED);
  assert_int_equal(fixture_claim(f, "u1", "", 5000, 60000), CLAIM_QUEUED);
  get_pool(f);
  assert_int_equal(f->pool.n_waiting, 2);
  state_set_now(f->state, T0 + 100);
  fixture_make_ready(f, "p-aaaaa");
  assert_true(f->flag);
  fixture_get(f, "p-aaaaa");
  assert_string_equal(f->uid, "u1");
  assert_true(f->flag);
  state_confirm(f->state, "default", "p", "u1", fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_false(f->flag);
  assert_int_equal(f->number, T0 + 5100);
  /* the second is still first in line, before a newcomer */
  assert_int_equal(fixture_claim(f, "u3", "", 0, 0), CLAIM_EMPTY);
}

static void an_unconfirmed_grant_is_destroyed(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_claim(f, "u1", "req", 0, 60000);
  fixture_make_ready(f, "p-aaaaa");
  state_set_now(f->state, T0 + 10001);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  assert_string_equal(f->reason, "Unconfirmed");
  state_confirm(f->state, "default", "p", "u1", fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  /* Nobody was told of it, so its request id asks anew. */
  assert_int_equal(fixture_claim(f, "u2", "req", 0, 60000), CLAIM_QUEUED);
}

static void leaving_the_queue(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_claim(f, "u1", "req", 0, 60000);
  state_cancel_wait(f->state, "default", "p", "u1", fixture_done, f);
  fixture_wait(f);
  fixture_make_ready(f, "p-aaaaa");
  assert_false(f->flag);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
  /* the request id came to nothing and is free */
  assert_int_equal(fixture_claim(f, "u2", "req", 0, 0), CLAIM_GRANTED);
  /* confirmed claims are not cancelled */
  state_cancel_wait(f->state, "default", "p", "u2", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  /* granted but not confirmed: let go */
  fixture_claim(f, "u3", "", 0, 60000);
  fixture_make_ready(f, "p-bbbbb");
  state_cancel_wait(f->state, "default", "p", "u3", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_RELEASING);
}

static void late_waiters_are_passed_over(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_claim(f, "u1", "", 0, 1000);
  fixture_claim(f, "u2", "", 0, 60000);
  state_set_now(f->state, T0 + 2000);
  fixture_make_ready(f, "p-aaaaa");
  fixture_get(f, "p-aaaaa");
  assert_string_equal(f->uid, "u2");
}

static void ends_by_time(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  fixture_claim(f, "u1", "", 5000, 0);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 0);
  assert_int_equal(f->next_ms, T0 + 5000);
  SandboxUpdate u = {.mask = STATE_UPDATE_EXPIRE | STATE_UPDATE_IDLE, .expire_ms = T0 + 9000, .idle_timeout_ms = 2000};
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->number, T0 + 9000);
  state_set_now(f->state, T0 + 1500);
  state_touch(f->state, "default", "p-aaaaa", "u1", fixture_done, f);
  fixture_wait(f);
  state_set_now(f->state, T0 + 3400);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 0);
  assert_int_equal(f->next_ms, T0 + 3500);
  state_set_now(f->state, T0 + 3500);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
  fixture_get(f, "p-aaaaa");
  assert_string_equal(f->reason, "IdleTimeout");
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
}

static void ends_now(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  fixture_claim(f, "u1", "", 0, 0);
  /* whatever the caller's clock says */
  SandboxUpdate u = {.mask = STATE_UPDATE_EXPIRE, .expire_ms = T0 + 1};
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  u.expire_ms = T0;
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_int_equal(f->sandbox_state, SANDBOX_RELEASING);
  assert_string_equal(f->reason, "Expired");
  get_pool(f);
  assert_int_equal(f->pool.n_claimed, 0);
  assert_int_equal(f->pool.n_releasing, 1);
}

static void failing(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  const char *id = "p-ccccc";
  state_register(f->state, "default", "p", "t", "h1", &id, 1, fixture_done, f);
  fixture_wait(f);
  state_failed(f->state, "default", id, "ImageNotFound", "no image", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, id), SANDBOX_UNKNOWN);
  get_pool(f);
  assert_string_equal(f->reason, "ImageNotFound");
  assert_int_equal(f->pool.n_failures, 1);
  fixture_make_ready(f, "p-aaaaa");
  get_pool(f);
  assert_int_equal(f->pool.n_failures, 0);
  fixture_claim(f, "u1", "", 0, 0);
  state_failed(f->state, "default", "p-aaaaa", "OutOfMemory", "too much", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_FAILED);
  assert_string_equal(f->reason, "OutOfMemory");
  gone(f, "p-aaaaa"); /* the holder still has it */
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_FAILED);
  state_set_now(f->state, T0 + 3600001);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
}

static void note_held(void *arg, bool held, const Error *err) {
  Fixture *f = arg;
  f->flag = held;
  fixture_done(f, err);
}

static void unfit(Fixture *f, const char *id) {
  state_unfit(f->state, "default", id, true, "NotReady", "its probe fails", note_held, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
}

/* Whoever holds one keeps it, whatever its condition; of one that nobody holds nothing is left. */
static void unfit_ones_go_unless_they_are_held(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  fixture_claim(f, "u1", "", 0, 0);
  unfit(f, "p-aaaaa");
  assert_true(f->flag);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  state_failed(f->state, "default", "p-aaaaa", "Died", "it did", fixture_done, f);
  fixture_wait(f);
  unfit(f, "p-aaaaa");
  assert_true(f->flag);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_FAILED);
  unfit(f, "p-bbbbb");
  assert_false(f->flag);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_UNKNOWN);
  unfit(f, "p-zzzzz");
  assert_false(f->flag);
}

static void unready(Fixture *f, const char *id) {
  state_unready(f->state, "default", id, fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
}

/* One that fails its probe is not offered, and is no start that failed; what it was made anew as is not what it was. */
static void unready_ones_are_not_offered(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  fixture_make_ready(f, "p-aaaaa");
  unready(f, "p-aaaaa");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CREATING);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_EMPTY);
  state_ready(f->state, "default", "p-aaaaa", "pod:10.0.0.2", "", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
  state_ready(f->state, "default", "p-aaaaa", "pod:10.0.0.3", "", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u2", "", 0, 0), CLAIM_GRANTED);
  unready(f, "p-bbbbb");
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_CLAIMED);
  state_ready(f->state, "default", "p-bbbbb", "pod:10.0.0.4", "", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_true(f->flag);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_CLAIMED);
}

/* Another that comes up does not make up for one that ended soon after it had. */
static void early_ends_are_counted(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  fixture_make_ready(f, "p-ccccc");
  fixture_make_ready(f, "p-ddddd");
  state_set_now(f->state, T0 + 2000);
  unfit(f, "p-aaaaa");
  unready(f, "p-bbbbb");
  unfit(f, "p-bbbbb");
  state_deleted(f->state, "default", "p-ccccc", "Deleted", "by hand", fixture_done, f);
  fixture_wait(f);
  fixture_make_ready(f, "p-eeeee");
  get_pool(f);
  assert_int_equal(f->pool.n_early, 2);
  assert_int_equal(f->pool.n_failures, 0);
  assert_string_equal(f->reason, "NotReady");
  assert_int_equal(fixture_get(f, "p-ccccc"), SANDBOX_UNKNOWN);
  state_unfit(f->state, "default", "p-eeeee", false, "Stale", "", note_held, f);
  fixture_wait(f);
  get_pool(f);
  assert_int_equal(f->pool.n_early, 2);
  state_set_now(f->state, T0 + 120000);
  unfit(f, "p-ddddd");
  get_pool(f);
  assert_int_equal(f->pool.n_early, 2);
  state_pool_heal(f->state, "default", "p", fixture_done, f);
  fixture_wait(f);
  get_pool(f);
  assert_int_equal(f->pool.n_early, 0);
  assert_string_equal(f->reason, "");
}

static void illegal_moves_are_refused(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  state_ready(f->state, "default", "p-zzzzz", "unix:/x", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  fixture_make_ready(f, "p-aaaaa");
  state_ready(f->state, "default", "p-aaaaa", "unix:/x", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  gone(f, "p-aaaaa");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
  fixture_claim(f, "u1", "", 0, 0);
  release(f, "p-aaaaa", "someone else");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  release(f, "p-aaaaa", "u1");
  release(f, "p-aaaaa", "u1");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  state_ready(f->state, "default", "p-aaaaa", "unix:/x", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  const char *ids[] = {"p-bbbbb", "p-aaaaa"};
  state_register(f->state, "default", "p", "t", "h1", ids, 2, fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_ALREADY_EXISTS);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_UNKNOWN);
  release(f, "nonsense", "");
  assert_int_equal(f->err.kind, ERROR_NONE);
}

static void on_integer(void *arg, const RedisReply *reply, const Error *err) {
  Fixture *f = arg;
  assert_null(err);
  f->number = reply->integer;
  loop_stop(f->loop);
}

static void nothing_stays_behind(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  fixture_claim(f, "u0", "", 0, 0);
  release(f, "p-aaaaa", "");
  gone(f, "p-aaaaa");
  int64_t before = fixture_keys(f);
  char id[16], uid[16];
  for (int i = 0; i < 200; i++) {
    snprintf(id, sizeof id, "p-b%04d", i);
    snprintf(uid, sizeof uid, "w%d", i);
    if (i % 2)
      fixture_claim(f, uid, "", 0, 60000);
    fixture_make_ready(f, id);
    if (i % 2) {
      state_confirm(f->state, "default", "p", uid, fixture_record, f);
      fixture_wait(f);
    } else {
      assert_int_equal(fixture_claim(f, uid, "", 0, 0), CLAIM_GRANTED);
    }
    assert_string_equal(f->id, id);
    release(f, id, uid);
    gone(f, id);
  }
  assert_int_equal(fixture_keys(f), before);
  state_pool_delete(f->state, "default", "p", fixture_done, f);
  fixture_wait(f);
  /* The index follows in its own steps; the history stays for a while, for watchers that were away. */
  for (int64_t n = -1; n != 1;)
    n = fixture_keys(f);
  redis_command(f->redis, on_integer, f, 2, (const char *[]){"PTTL", "sp:{default}/p:events"}, NULL);
  fixture_wait(f);
  assert_true(f->number > 0);
}

static void deleting_a_pool(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  fixture_make_ready(f, "p-aaaaa");
  fixture_claim(f, "u1", "", 0, 0);
  fixture_make_ready(f, "p-bbbbb");
  const char *late = "p-ccccc";
  state_register(f->state, "default", "p", "t", "h1", &late, 1, fixture_done, f);
  fixture_wait(f);
  state_pool_delete(f->state, "default", "p", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(fixture_claim(f, "u2", "", 0, 60000), CLAIM_NO_POOL);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_RELEASING);
  state_ready(f->state, "default", late, "unix:/z", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, late), SANDBOX_RELEASING);
  gone(f, late);
  gone(f, "p-bbbbb");
  release(f, "p-aaaaa", "");
  gone(f, "p-aaaaa");
  get_pool(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
}

/* Whoever lists meanwhile would miss what the new one gave, and for as long as the step behind cannot be taken. A key
 * that is emptied forgets that it expires. */
static void a_pool_made_again_keeps_its_name(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  assert_int_equal(fixture_number(f, 3, (const char *[]){"PEXPIRE", "sp:pools", "1000000"}), 1);
  state_pool_vanished(f->state, "default", "p");
  for (int step = 0; step < 4; step++)
    get_pool(f);
  assert_true(fixture_number(f, 2, (const char *[]){"PTTL", "sp:pools"}) > 0);
}

static void implicit_pools_vanish(void **state) {
  Fixture *f = *state;
  int64_t before = fixture_keys(f);
  PoolRecord p = {.ns = "default", .name = "p", .template_name = "t", .implicit = true};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 60000), CLAIM_QUEUED);
  fixture_make_ready(f, "p-aaaaa");
  release(f, "p-aaaaa", "");
  gone(f, "p-aaaaa");
  for (int64_t n = -1; n != before + 1;)
    n = fixture_keys(f); /* its history stays for a while */
}

static void expire_at(Fixture *f, int64_t now_ms) {
  state_set_now(f->state, now_ms);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
}

/* A look for what has expired may come between the making of an implicit pool and the claim it is made for. */
static void implicit_pools_wait_for_their_claim(void **state) {
  Fixture *f = *state;
  PoolRecord p = {.ns = "default", .name = "p", .template_name = "t", .implicit = true};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  expire_at(f, T0);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 500), CLAIM_QUEUED);
  expire_at(f, T0 + 9000);
  get_pool(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  expire_at(f, T0 + 10000);
  get_pool(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
}

typedef struct Seen {
  Fixture *f;
  char last[64];
  size_t n;
  bool deleted, trimmed;
} Seen;

static void on_events(void *arg, const StateEvents *e, const Error *err) {
  Seen *s = arg;
  assert_null(err);
  s->n = e->n_events;
  s->trimmed = e->trimmed;
  snprintf(s->last, sizeof s->last, "%s", e->last_id);
  s->deleted = e->n_events > 0 && e->events[e->n_events - 1].deleted;
  loop_stop(s->f->loop);
}

static void history(void **state) {
  Fixture *f = *state;
  Seen seen = {.f = f};
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  state_events(f->state, "default", "p", "$", on_events, &seen);
  fixture_wait(f);
  assert_int_equal(seen.n, 0);
  char from[64];
  snprintf(from, sizeof from, "%s", seen.last);
  fixture_claim(f, "u1", "", 0, 0);
  release(f, "p-aaaaa", "");
  gone(f, "p-aaaaa");
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_int_equal(seen.n, 3);
  assert_true(seen.deleted);
  assert_false(seen.trimmed);
  for (int i = 0; i < 5000; i++)
    state_touch(f->state, "default", "p-aaaaa", "", NULL, NULL);
  for (int i = 0; i < 2200; i++) {
    char id[16];
    snprintf(id, sizeof id, "p-e%04d", i);
    const char *ids[] = {id};
    state_register(f->state, "default", "p", "t", "h1", ids, 1, NULL, NULL);
    state_ready(f->state, "default", id, "unix:/x", "gvisor", fixture_ready, f);
    fixture_wait(f);
    state_retire(f->state, "default", "p", RETIRE_READY, 1, "Surplus", fixture_count, f);
    fixture_wait(f);
    gone(f, id);
  }
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_true(seen.trimmed);
}

/* A pool of the same name goes on with the history while it is kept, and is a new one after that. */
static void history_of_a_pool_made_again(void **state) {
  Fixture *f = *state;
  Seen seen = {.f = f};
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  state_events(f->state, "default", "p", "$", on_events, &seen);
  fixture_wait(f);
  char from[64];
  snprintf(from, sizeof from, "%s", seen.last);
  release(f, "p-aaaaa", "");
  gone(f, "p-aaaaa");
  state_pool_delete(f->state, "default", "p", fixture_done, f);
  fixture_wait(f);
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_true(seen.deleted && !seen.trimmed);
  fixture_make_pool(f, 1);
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_true(seen.deleted && !seen.trimmed);

  state_pool_delete(f->state, "default", "p", fixture_done, f);
  fixture_wait(f);
  redis_command(f->redis, on_integer, f, 2, (const char *[]){"DEL", "sp:{default}/p:events"}, NULL);
  fixture_wait(f);
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_true(seen.trimmed);
  state_set_now(f->state, 0);
  while (clock_wall_ms() <= strtoll(from, NULL, 10))
    continue; /* positions are told apart by milliseconds */
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-bbbbb");
  state_events(f->state, "default", "p", from, on_events, &seen);
  fixture_wait(f);
  assert_true(seen.trimmed);
}

static void on_page(void *arg, const SandboxPage *page, const Error *err) {
  Fixture *f = arg;
  assert_null(err);
  f->number = (int64_t)page->n_records;
  snprintf(f->text, sizeof f->text, "%s", page->next ? page->next : "");
  loop_stop(f->loop);
}

static void paging(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 3);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  fixture_make_ready(f, "p-ccccc");
  state_list(f->state, "default", "p", "", 2, on_page, f);
  fixture_wait(f);
  assert_int_equal(f->number, 2);
  assert_string_equal(f->text, "p-bbbbb");
  state_list(f->state, "default", "p", "p-bbbbb", 2, on_page, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
  assert_string_equal(f->text, "");
}

/* ErrorKind of the answer. */
static ErrorKind restore_at(Fixture *f, const char *id, const char *uid, int64_t expire_ms, const char *route,
                            bool pool_deleted) {
  static const StatePair LABELS[] = {{"team", "red"}}, ENV[] = {{"K", "v"}};
  const SandboxRecord held = {.ns = "default",
                              .id = id,
                              .uid = uid,
                              .template_name = "t",
                              .template_hash = "h1",
                              .route = route,
                              .runtime_class = "gvisor",
                              .expire_ms = expire_ms,
                              .labels = LABELS,
                              .n_labels = 1,
                              .env = ENV,
                              .n_env = 1};
  state_restore(f->state, &held, pool_deleted, fixture_done, f);
  fixture_wait(f);
  return f->err.kind;
}

static ErrorKind restore(Fixture *f, const char *id, const char *uid, int64_t expire_ms) {
  return restore_at(f, id, uid, expire_ms, "tcp:10.0.0.9:8888", false);
}

static void on_route(void *arg, const SandboxRecord *r, const Error *err) {
  Fixture *f = arg;
  snprintf(f->text, sizeof f->text, "%s", err ? "?" : r->route);
  fixture_done(f, err);
}

static void restoring_an_address_that_changed(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  static const char *const ROUTES[] = {"pod:10.0.0.7", "", "pod:10.0.0.8"};
  for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
    assert_int_equal(restore_at(f, "p-aaaaa", "u1", 0, ROUTES[i], false), ERROR_NONE);
    state_get(f->state, "default", "p-aaaaa", on_route, f);
    fixture_wait(f);
    assert_string_equal(f->text, ROUTES[i]);
  }
  /* nobody else may change it */
  assert_int_equal(restore_at(f, "p-aaaaa", "u2", 0, "pod:10.0.0.9", false), ERROR_FAILED_PRECONDITION);
  state_get(f->state, "default", "p-aaaaa", on_route, f);
  fixture_wait(f);
  assert_string_equal(f->text, "pod:10.0.0.8");
}

static void restoring_without_a_pool(void **state) {
  Fixture *f = *state;
  assert_int_equal(restore_at(f, "p-aaaaa", "u1", 0, "pod:10.0.0.7", true), ERROR_NONE);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  get_pool(f);
  assert_true(f->pool.deleted);
  assert_int_equal(f->pool.n_claimed, 1);
  assert_int_equal(fixture_claim(f, "u2", "", 0, 0), CLAIM_NO_POOL);
  release(f, "p-aaaaa", "u1");
  gone(f, "p-aaaaa");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_UNKNOWN);
}

static void restoring_what_was_lost(void **state) {
  Fixture *f = *state;
  assert_int_equal(restore(f, "p-aaaaa", "u1", 0), ERROR_NOT_FOUND);
  assert_int_equal(fixture_keys(f), 0);
  fixture_make_pool(f, 2);
  assert_int_equal(restore(f, "p-aaaaa", "u1", T0 + 50), ERROR_NONE);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_string_equal(f->uid, "u1");
  assert_string_equal(f->labels, "team=red;");
  assert_string_equal(f->env, "K=v;");
  get_pool(f);
  assert_int_equal(f->pool.n_claimed, 1);
  assert_int_equal(f->pool.n_ready, 0);
  /* the claim has what it had: asked again, it gets no second one */
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u2", "", 0, 0), CLAIM_EMPTY);
  /* it ends as any other, by time */
  state_set_now(f->state, T0 + 50);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_int_equal(f->number, 1);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  gone(f, "p-aaaaa");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_UNKNOWN);
}

static void restoring_what_is_held(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  /* as it was: nothing of the record changes */
  assert_int_equal(restore(f, "p-aaaaa", "u1", 77), ERROR_NONE);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_string_equal(f->env, "A=b\\c;");
  /* nobody who has it loses it */
  assert_int_equal(restore(f, "p-aaaaa", "u2", 0), ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_string_equal(f->uid, "u1");
  /* what is being let go stays so */
  release(f, "p-aaaaa", "u1");
  assert_int_equal(restore(f, "p-aaaaa", "u1", 0), ERROR_NONE);
  assert_int_equal(restore(f, "p-aaaaa", "u2", 0), ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
}

static void restoring_takes_it_from_the_ready(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  const char *coming = "p-bbbbb";
  state_register(f->state, "default", "p", "t", "h1", &coming, 1, fixture_done, f);
  fixture_wait(f);
  assert_int_equal(restore(f, "p-aaaaa", "u1", 0), ERROR_NONE);
  assert_int_equal(restore(f, coming, "u2", 0), ERROR_NONE);
  get_pool(f);
  assert_int_equal(f->pool.n_ready, 0);
  assert_int_equal(f->pool.n_creating, 0);
  assert_int_equal(f->pool.n_claimed, 2);
  assert_int_equal(fixture_claim(f, "u3", "", 0, 0), CLAIM_EMPTY);
  /* told late that it came up: it is not offered */
  state_ready(f->state, "default", coming, "tcp:10.0.0.9:8888", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(fixture_get(f, coming), SANDBOX_CLAIMED);
  assert_string_equal(f->uid, "u2");
}

static void scripts_come_back_after_a_flush(void **state) {
  Fixture *f = *state;
  fixture_make_pool(f, 1);
  redis_command(f->redis, NULL, NULL, 2, (const char *[]){"SCRIPT", "FLUSH"}, NULL);
  fixture_make_ready(f, "p-aaaaa");
  redis_command(f->redis, NULL, NULL, 2, (const char *[]){"SCRIPT", "FLUSH"}, NULL);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(claims_the_oldest_once),
      TEST(fresh_before_stale),
      TEST(recreate_gives_nobody_a_stale_one),
      TEST(starting_ones_are_retired_first),
      TEST(a_strategy_that_becomes_recreate),
      TEST(request_id_names_one_claim),
      TEST(accounts_are_exact),
      TEST(calls_are_counted),
      TEST(waiters_are_served_in_order),
      TEST(an_unconfirmed_grant_is_destroyed),
      TEST(leaving_the_queue),
      TEST(late_waiters_are_passed_over),
      TEST(ends_by_time),
      TEST(ends_now),
      TEST(failing),
      TEST(unfit_ones_go_unless_they_are_held),
      TEST(unready_ones_are_not_offered),
      TEST(early_ends_are_counted),
      TEST(illegal_moves_are_refused),
      TEST(nothing_stays_behind),
      TEST(deleting_a_pool),
      TEST(a_pool_made_again_keeps_its_name),
      TEST(implicit_pools_vanish),
      TEST(implicit_pools_wait_for_their_claim),
      TEST(history),
      TEST(history_of_a_pool_made_again),
      TEST(paging),
      TEST(restoring_what_was_lost),
      TEST(restoring_what_is_held),
      TEST(restoring_an_address_that_changed),
      TEST(restoring_without_a_pool),
      TEST(restoring_takes_it_from_the_ready),
      TEST(scripts_come_back_after_a_flush),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
