/* What is repeated, refused or asked for by the wrong one; a server out of memory. */
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

#define T0 1000000

static int setup(void **state) {
  Fixture *f = fixture_new("r1", true);
  state_set_now(f->state, T0);
  fixture_make_pool(f, 1);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

static void ready(Fixture *f, const char *id, const char *route) {
  state_ready(f->state, "default", id, route, "gvisor", fixture_ready, f);
  fixture_wait(f);
}

static void register_ids(Fixture *f, const char *hash, const char *const *ids, size_t n) {
  state_register(f->state, "default", "p", "t", hash, ids, n, fixture_done, f);
  fixture_wait(f);
}

static void confirm(Fixture *f, const char *uid) {
  state_confirm(f->state, "default", "p", uid, fixture_record, f);
  fixture_wait(f);
}

static void cancel(Fixture *f, const char *uid) {
  state_cancel_wait(f->state, "default", "p", uid, fixture_done, f);
  fixture_wait(f);
}

static void expire_at(Fixture *f, int64_t now) {
  state_set_now(f->state, now);
  state_expire(f->state, "default", "p", fixture_expired, f);
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

static void registering_again(void **state) {
  Fixture *f = *state;
  const char *ids[] = {"p-aaaaa", "p-bbbbb", "p-ccccc"};
  register_ids(f, "h1", ids, 2);
  state_set_now(f->state, T0 + 500);
  register_ids(f, "h1", ids, 2);
  assert_int_equal(f->err.kind, ERROR_NONE);
  get_pool(f);
  assert_int_equal(f->pool.n_creating, 2);
  /* not the same call: more names, another hash, or one came up meanwhile */
  register_ids(f, "h1", ids, 3);
  assert_int_equal(f->err.kind, ERROR_ALREADY_EXISTS);
  assert_int_equal(fixture_get(f, "p-ccccc"), SANDBOX_UNKNOWN);
  register_ids(f, "h2", ids, 2);
  assert_int_equal(f->err.kind, ERROR_ALREADY_EXISTS);
  ready(f, "p-aaaaa", "unix:/x");
  register_ids(f, "h1", ids, 2);
  assert_int_equal(f->err.kind, ERROR_ALREADY_EXISTS);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
}

static void coming_up_again(void **state) {
  Fixture *f = *state;
  fixture_make_ready(f, "p-aaaaa");
  ready(f, "p-aaaaa", "unix:/x");
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_false(f->flag);
  /* what runs it was made anew elsewhere: nobody gets it */
  ready(f, "p-aaaaa", "unix:/other");
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  fixture_make_ready(f, "p-bbbbb");
  fixture_claim(f, "u1", "", 0, 0);
  fixture_claim(f, "u2", "", 0, 60000);
  /* it has a holder: the second does not get it, wherever it comes up */
  static const char *const ROUTES[] = {"unix:/x", "unix:/other"};
  for (size_t i = 0; i < ARRAY_LEN(ROUTES); i++) {
    ready(f, "p-bbbbb", ROUTES[i]);
    assert_true(f->flag);
    assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_CLAIMED);
    assert_string_equal(f->uid, "u1");
  }
}

static void confirming_again(void **state) {
  Fixture *f = *state;
  fixture_claim(f, "u1", "", 0, 60000);
  confirm(f, "u1");
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND); /* still waiting */
  fixture_make_ready(f, "p-aaaaa");
  confirm(f, "u1");
  confirm(f, "u1");
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_string_equal(f->id, "p-aaaaa");
  assert_false(f->flag);
  expire_at(f, T0 + 20000);
  assert_int_equal(f->number, 0);
  confirm(f, "nobody");
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
}

static void another_replica_speaks_for_it(void **state) {
  Fixture *f = *state, *other = fixture_new("r2", false);
  state_set_now(other->state, T0);
  fixture_claim(f, "u1", "req", 0, 60000);
  assert_int_equal(fixture_claim(other, "u9", "req", 0, 60000), CLAIM_QUEUED);
  assert_string_equal(other->token, "u1");
  cancel(f, "u1"); /* the first client went; the second still waits */
  get_pool(f);
  assert_int_equal(f->pool.n_waiting, 1);
  fixture_make_ready(f, "p-aaaaa");
  assert_true(f->flag);
  cancel(f, "u1");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  assert_int_equal(fixture_claim(f, "u8", "req", 0, 60000), CLAIM_GRANTED);
  assert_true(f->flag); /* pending */
  cancel(other, "u1");  /* now the first replica speaks for it */
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_CLAIMED);
  cancel(f, "u1");
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
  fixture_free(other);
}

/* The answer was lost, and while its caller asks once more what it was given ends: a uid stands for one sandbox. */
static void a_uid_is_used_once(void **state) {
  Fixture *f = *state;
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u1", "", 1000, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  expire_at(f, T0 + 1000);
  assert_int_equal(fixture_claim(f, "u1", "", 1000, 0), CLAIM_GRANTED);
  assert_int_equal(f->sandbox_state, SANDBOX_RELEASING);
  gone(f, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u1", "", 1000, 0), CLAIM_SPENT);
  assert_int_equal(fixture_claim(f, "u1", "", 0, 60000), CLAIM_SPENT);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_READY);
  /* what the shared state remembers of it goes by itself, and is long enough for any question that is repeated */
  assert_in_range(fixture_number(f, 2, (const char *[]){"PTTL", "sp:{default}/p:spent:u1"}), 300000, 600000);
  assert_int_equal(fixture_claim(f, "u2", "", 1000, 0), CLAIM_GRANTED);
}

/* Whoever gave up has told the state so: its question may still come, by a connection that was cut off for a while. */
static void a_question_that_comes_late(void **state) {
  Fixture *f = *state;
  cancel(f, "u1");
  fixture_make_ready(f, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_SPENT);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
}

/* A SandboxClaim keeps its uid whatever becomes of its sandbox. */
static void a_uid_that_takes_again(void **state) {
  Fixture *f = *state;
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  f->takes_again = true;
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  state_release(f->state, "default", "p-aaaaa", "u1", "Gone", fixture_done, f);
  fixture_wait(f);
  gone(f, "p-aaaaa");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-bbbbb");
}

static void a_request_that_came_to_nothing_is_free(void **state) {
  Fixture *f = *state;
  fixture_claim(f, "u1", "req", 0, 1000);
  expire_at(f, T0 + 1000);
  assert_int_equal(f->number, 1);
  assert_int_equal(fixture_claim(f, "u2", "req", 0, 60000), CLAIM_QUEUED);
  assert_string_equal(f->token, "u2");
  fixture_make_ready(f, "p-aaaaa");
  expire_at(f, T0 + 12000); /* granted, never confirmed */
  assert_int_equal(fixture_claim(f, "u3", "req", 0, 0), CLAIM_EMPTY);
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u3", "req", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-bbbbb");
}

static void wrong_hands(void **state) {
  Fixture *f = *state;
  SandboxUpdate u = {.mask = STATE_UPDATE_LABELS};
  fixture_claim(f, "u1", "", 1000, 60000);
  fixture_make_ready(f, "p-aaaaa");
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION); /* pending */
  confirm(f, "u1");
  state_touch(f->state, "default", "p-aaaaa", "u2", fixture_done, f);
  fixture_wait(f);
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_string_equal(f->labels, "");
  assert_string_equal(f->env, "A=b\\c;");
  assert_int_equal(f->number, T0 + 1000);
  state_update(f->state, "default", "p-zzzzz", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  state_failed(f->state, "default", "p-aaaaa", "Crashed", "", fixture_done, f);
  fixture_wait(f);
  state_failed(f->state, "default", "p-aaaaa", "Again", "", fixture_done, f);
  fixture_wait(f);
  fixture_get(f, "p-aaaaa");
  assert_string_equal(f->reason, "Crashed");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED); /* the same one, as it is now */
  assert_int_equal(f->sandbox_state, SANDBOX_FAILED);
  expire_at(f, T0 + 1000); /* its time to live, not the hour */
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_RELEASING);
}

static void bytes_come_back(void **state) {
  Fixture *f = *state;
  fixture_make_ready(f, "p-aaaaa");
  StatePair ugly = {"k\"\\/", "\x01\t\n\xe2\x82\xac'{}[]\x7f"}, broken = {"k", "\xff"};
  ClaimRequest q = {
      .ns = "default", .pool = "p", .uid = "u1", .labels = &ugly, .n_labels = 1, .env = &broken, .n_env = 1};
  state_claim(f->state, &q, fixture_claimed, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(f->err.field, "env");
  q.env = &ugly;
  state_claim(f->state, &q, fixture_claimed, f);
  fixture_wait(f);
  assert_int_equal(f->outcome, CLAIM_GRANTED);
  assert_string_equal(f->labels, "k\"\\/=\x01\t\n\xe2\x82\xac'{}[]\x7f;");
  assert_string_equal(f->env, f->labels);
  SandboxUpdate u = {.mask = STATE_UPDATE_LABELS, .labels = &broken, .n_labels = 1};
  state_update(f->state, "default", "p-aaaaa", &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_INVALID_ARGUMENT);
  /* through the queue as well, where they are JSON inside JSON */
  q.uid = "u2";
  q.max_wait_ms = 60000;
  state_claim(f->state, &q, fixture_claimed, f);
  fixture_wait(f);
  fixture_make_ready(f, "p-bbbbb");
  *f->env = 0;
  confirm(f, "u2");
  assert_string_equal(f->env, "k\"\\/=\x01\t\n\xe2\x82\xac'{}[]\x7f;");
}

static void config(Fixture *f, const char *name, const char *value) {
  fixture_everywhere(f, 4, (const char *[]){"CONFIG", "SET", name, value});
}

static void nothing_is_left_half_done(void **state) {
  Fixture *f = *state;
  fixture_make_ready(f, "p-aaaaa");
  config(f, "maxmemory", "1");
  const char *ids[] = {"p-bbbbb"};
  register_ids(f, "h1", ids, 1);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  fixture_claim(f, "u1", "req", 0, 0);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_int_equal(fixture_get(f, "p-aaaaa"), SANDBOX_READY);
  /* what frees memory goes on */
  state_release(f->state, "default", "p-aaaaa", "", "Deleted", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  state_gone(f->state, "default", "p-aaaaa", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  fixture_claim(f, "u2", "", 0, 60000);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  config(f, "maxmemory", "0");
  fixture_make_ready(f, "p-ddddd");
  assert_int_equal(fixture_claim(f, "u4", "", 1000, 0), CLAIM_GRANTED);
  /* a server that has started again notes so first: that must not keep what has ended */
  redis_command(f->redis, NULL, NULL, 4, (const char *[]){"HSET", "sp:{default}/p:pool", "fence", "another-"}, NULL);
  config(f, "maxmemory", "1");
  state_set_now(f->state, INT64_C(4000000000000));
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  state_set_now(f->state, 0);
  assert_string_equal(f->err.message, "");
  assert_int_equal(fixture_get(f, "p-ddddd"), SANDBOX_RELEASING);
  state_gone(f->state, "default", "p-ddddd", fixture_done, f);
  fixture_wait(f);
  config(f, "maxmemory", "0");
  get_pool(f);
  assert_int_equal(f->pool.n_waiting, 0);
  assert_int_equal(f->pool.n_creating, 0);
  assert_int_equal(f->pool.n_ready + f->pool.n_claimed + f->pool.n_releasing, 0);

  fixture_make_ready(f, "p-ccccc");
  config(f, "min-replicas-to-write", "1");
  fixture_claim(f, "u3", "req", 0, 0);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  config(f, "min-replicas-to-write", "0");
  assert_int_equal(fixture_get(f, "p-ccccc"), SANDBOX_READY);
  assert_int_equal(fixture_claim(f, "u3", "req", 0, 0), CLAIM_GRANTED);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(registering_again),
      TEST(coming_up_again),
      TEST(confirming_again),
      TEST(another_replica_speaks_for_it),
      TEST(a_uid_is_used_once),
      TEST(a_question_that_comes_late),
      TEST(a_uid_that_takes_again),
      TEST(a_request_that_came_to_nothing_is_free),
      TEST(wrong_hands),
      TEST(bytes_come_back),
      TEST(nothing_is_left_half_done),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
