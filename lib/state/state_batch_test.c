/* Batches: all or nothing, as many as there are, waiting without holding, repeated, given back. */
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_quota.h"
#include "lib/state/state_sandbox.h"

#define T0 1000000
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaa0000"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbb0000"
#define C "cccccccccccccccccccccccccccc0000"
#define D "dddddddddddddddddddddddddddd0000"
#define E "eeeeeeeeeeeeeeeeeeeeeeeeeeee0000"

typedef struct Batch {
  Fixture *f;
  State *state; /* of another replica when not the fixture's */
  ClaimOutcome outcome;
  size_t n;
  char first[64], first_uid[64], last_uid[64], token[64];
  int64_t wait_ms, live;
  char told[256];
} Batch;

static int setup(void **state) {
  static Batch b;
  b = (Batch){.f = fixture_new("r1", true)};
  b.state = b.f->state;
  state_set_now(b.f->state, T0);
  fixture_make_pool(b.f, 1);
  *state = &b;
  return 0;
}

static int teardown(void **state) {
  Batch *b = *state;
  if (b->state != b->f->state)
    state_free(b->state);
  fixture_free(b->f);
  return 0;
}

static void on_batch(void *arg, const BatchResult *r, const Error *err) {
  Batch *b = arg;
  b->n = 0;
  b->f->err = err ? *err : (Error){0};
  if (r) {
    b->outcome = r->outcome;
    b->n = r->n_records;
    snprintf(b->token, sizeof b->token, "%s", r->token ? r->token : "");
  }
  if (b->n) {
    snprintf(b->first, sizeof b->first, "%s", r->records[0].id);
    snprintf(b->first_uid, sizeof b->first_uid, "%s", r->records[0].uid);
    snprintf(b->last_uid, sizeof b->last_uid, "%s", r->records[b->n - 1].uid);
    b->wait_ms = r->records[0].wait_ms;
  }
  loop_stop(b->f->loop);
}

static ClaimOutcome ask(Batch *b, const char *token, const char *request_id, int count, int min, int64_t wait_ms) {
  BatchRequest q = {
      .each = {.ns = "default", .pool = "p", .uid = token, .request_id = request_id, .max_wait_ms = wait_ms},
      .count = count,
      .min_count = min};
  state_batch(b->state, &q, on_batch, b);
  fixture_wait(b->f);
  assert_int_equal(b->f->err.kind, ERROR_NONE);
  return b->outcome;
}

static void leave(Batch *b, const char *token, bool give_back) {
  state_batch_leave(b->state, "default", "p", token, give_back, fixture_done, b->f);
  fixture_wait(b->f);
}

static void make_ready(Batch *b, int from, int n) {
  for (int i = from; i < from + n; i++) {
    char id[16];
    snprintf(id, sizeof id, "p-%05d", i);
    fixture_make_ready(b->f, id);
  }
}

static const PoolRecord *pool(Batch *b) {
  state_pool_get(b->f->state, "default", "p", fixture_pool, b->f);
  fixture_wait(b->f);
  return &b->f->pool;
}

static void all_or_nothing(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 3);
  assert_int_equal(ask(b, A, "", 4, 4, 0), CLAIM_EMPTY);
  assert_int_equal(pool(b)->n_ready, 3);
  make_ready(b, 3, 2);
  assert_int_equal(ask(b, A, "", 4, 4, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 4);
  assert_string_equal(b->first, "p-00000");
  assert_string_equal(b->first_uid, A);
  assert_string_equal(b->last_uid, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa0003");
  assert_int_equal(b->wait_ms, 0);
  assert_int_equal(pool(b)->n_ready, 1);
  assert_int_equal(pool(b)->n_claimed, 4);
}

static void as_many_as_there_are(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 3);
  assert_int_equal(ask(b, A, "", 10, 4, 0), CLAIM_EMPTY);
  assert_int_equal(ask(b, A, "", 10, 2, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 3);
  assert_int_equal(ask(b, B, "", 10, 1, 0), CLAIM_EMPTY);
}

static void waiting_holds_nothing(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 2);
  assert_int_equal(ask(b, A, "", 3, 3, 5000), CLAIM_QUEUED);
  assert_string_equal(b->token, A);
  assert_int_equal(ask(b, B, "", 3, 3, 5000), CLAIM_QUEUED);
  /* the pool is to make as many as both need */
  assert_int_equal(pool(b)->n_waiting, 6);
  /* what they wait for goes to whoever can use it now */
  assert_int_equal(fixture_claim(b->f, "u1", "", 0, 0), CLAIM_GRANTED);
  make_ready(b, 2, 2);
  state_set_now(b->f->state, T0 + 40);
  assert_int_equal(ask(b, B, "", 3, 3, 5000), CLAIM_GRANTED);
  assert_int_equal(b->wait_ms, 40);
  assert_int_equal(ask(b, A, "", 3, 3, 5000), CLAIM_QUEUED);
  assert_int_equal(pool(b)->n_waiting, 3);
  leave(b, A, true);
  assert_int_equal(pool(b)->n_waiting, 0);
}

static void single_waiters_come_first(void **state) {
  Batch *b = *state;
  assert_int_equal(ask(b, A, "", 1, 1, 5000), CLAIM_QUEUED);
  assert_int_equal(fixture_claim(b->f, "u1", "", 0, 5000), CLAIM_QUEUED);
  make_ready(b, 0, 1);
  assert_int_equal(fixture_get(b->f, "p-00000"), SANDBOX_CLAIMED);
  assert_string_equal(b->f->uid, "u1");
  make_ready(b, 1, 1);
  assert_int_equal(ask(b, A, "", 1, 1, 5000), CLAIM_GRANTED);
}

static void on_grant(void *arg, const char *token, const char *id) {
  Batch *b = arg;
  if (!token) {
    loop_stop(b->f->loop);
    return;
  }
  size_t len = strlen(b->told);
  snprintf(b->told + len, sizeof b->told - len, "%.1s:%s ", token, id);
}

/* In a cluster, messages come by other ways than replies. */
static void expect_told(Batch *b, const char *text) {
  for (int i = 0; i < 10000 && strlen(b->told) < strlen(text); i++)
    pool(b);
  assert_string_equal(b->told, text);
}

static void those_that_fit_are_told(void **state) {
  Batch *b = *state;
  state_on_grant(b->f->state, on_grant, b);
  fixture_wait(b->f);
  /* what was said before this test may still be on its way */
  redis_command(b->f->redis, NULL, NULL, 4,
                (const char *[]){"EVAL", "redis.call('PUBLISH', 'sp:grant', 'z last')", "1", "sp:{default}"}, NULL);
  for (int i = 0; i < 10000 && !strstr(b->told, "z:last "); i++)
    pool(b);
  *b->told = 0;
  ask(b, A, "", 3, 3, 5000);
  ask(b, B, "", 2, 2, 5000);
  ask(b, C, "", 1, 1, 5000);
  make_ready(b, 0, 1);
  expect_told(b, "c:batch ");
  make_ready(b, 1, 1);
  expect_told(b, "c:batch b:batch ");
  make_ready(b, 2, 1);
  expect_told(b, "c:batch b:batch a:batch ");
  make_ready(b, 3, 3);
  expect_told(b, "c:batch b:batch a:batch a:batch c:batch a:batch b:batch a:batch b:batch c:batch ");
}

static void gone(Batch *b, const char *id) {
  state_gone(b->f->state, "default", id, fixture_done, b->f);
  fixture_wait(b->f);
}

static void repeated(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 4);
  assert_int_equal(ask(b, A, "q", 2, 2, 0), CLAIM_GRANTED);
  /* the same call again, another client's with the request id, and only then something new */
  assert_int_equal(ask(b, A, "q", 2, 2, 0), CLAIM_GRANTED);
  assert_int_equal(ask(b, B, "q", 2, 2, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 2);
  assert_string_equal(b->first_uid, A);
  assert_int_equal(pool(b)->n_ready, 2);
  state_release(b->f->state, "default", "p-00000", A, "Deleted", fixture_done, b->f);
  fixture_wait(b->f);
  gone(b, "p-00000");
  assert_int_equal(ask(b, B, "q", 2, 2, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 1);
  assert_string_equal(b->first, "p-00001");
  leave(b, A, true);
  gone(b, "p-00001");
  assert_int_equal(ask(b, B, "q", 2, 2, 0), CLAIM_ENDED);
  /* a request id of a single claim */
  assert_int_equal(fixture_claim(b->f, "u1", "single", 0, 0), CLAIM_GRANTED);
  assert_int_equal(ask(b, B, "single", 1, 1, 0), CLAIM_ENDED);
}

/* As of one claim: neither with the answer lost and all of it ended since, nor after the caller has given up. */
static void a_token_is_used_once(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 4);
  assert_int_equal(ask(b, A, "", 2, 2, 0), CLAIM_GRANTED);
  state_set_now(b->state, T0 + 5000);
  state_release(b->f->state, "default", "p-00000", A, "Expired", fixture_done, b->f);
  fixture_wait(b->f);
  gone(b, "p-00000");
  /* what is left of it */
  assert_int_equal(ask(b, A, "", 2, 2, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 1);
  leave(b, A, true);
  gone(b, "p-00001");
  assert_int_equal(ask(b, A, "", 2, 2, 0), CLAIM_SPENT);
  assert_int_equal(pool(b)->n_ready, 2);
  leave(b, B, true);
  assert_int_equal(ask(b, B, "", 2, 2, 60000), CLAIM_SPENT);
  assert_int_equal(pool(b)->n_ready, 2);
}

static void one_place_for_a_request_id(void **state) {
  Batch *b = *state;
  State *r1 = b->state;
  assert_int_equal(ask(b, A, "q", 2, 2, 5000), CLAIM_QUEUED);
  b->state = state_new(b->f->redis, "r2");
  state_set_now(b->state, T0);
  assert_int_equal(ask(b, B, "q", 2, 2, 5000), CLAIM_QUEUED);
  assert_string_equal(b->token, A);
  assert_int_equal(pool(b)->n_waiting, 2);
  /* the one that asked before no longer speaks for it */
  State *r2 = b->state;
  b->state = r1;
  leave(b, A, true);
  assert_int_equal(pool(b)->n_waiting, 2);
  b->state = r2;
  leave(b, A, true);
  assert_int_equal(pool(b)->n_waiting, 0);
  /* and it may be used again */
  assert_int_equal(ask(b, C, "q", 2, 2, 5000), CLAIM_QUEUED);
  assert_string_equal(b->token, C);
}

static void given_back(void **state) {
  Batch *b = *state;
  make_ready(b, 0, 5);
  assert_int_equal(ask(b, A, "", 3, 3, 0), CLAIM_GRANTED);
  assert_int_equal(ask(b, B, "", 2, 2, 0), CLAIM_GRANTED);
  leave(b, A, false);
  assert_int_equal(pool(b)->n_claimed, 5);
  leave(b, A, true);
  assert_int_equal(pool(b)->n_claimed, 2);
  assert_int_equal(pool(b)->n_releasing, 3);
  leave(b, A, true);
  assert_int_equal(pool(b)->n_releasing, 3);
}

static void left_to_themselves(void **state) {
  Batch *b = *state;
  assert_int_equal(ask(b, A, "q", 2, 2, 5000), CLAIM_QUEUED);
  state_set_now(b->f->state, T0 + 5000);
  state_expire(b->f->state, "default", "p", fixture_expired, b->f);
  fixture_wait(b->f);
  assert_int_equal(pool(b)->n_waiting, 0);
  assert_int_equal(ask(b, B, "q", 2, 2, 5000), CLAIM_QUEUED);
  assert_string_equal(b->token, B);
  /* a deleted pool sends it away, and goes with it */
  state_pool_delete(b->f->state, "default", "p", fixture_done, b->f);
  fixture_wait(b->f);
  assert_int_equal(ask(b, B, "q", 2, 2, 5000), CLAIM_NO_POOL);
  state_pool_get(b->f->state, "default", "p", fixture_pool, b->f);
  fixture_wait(b->f);
  assert_int_equal(b->f->err.kind, ERROR_NOT_FOUND);
}

static void on_quota(void *arg, const QuotaRecord *q, const Error *err) {
  Batch *b = arg;
  assert_null(err);
  b->live = q->live;
  loop_stop(b->f->loop);
}

static void set_live(Batch *b, int64_t max_live) {
  QuotaRecord quota = {.ns = "default", .tenant = STATE_DEFAULT_TENANT, .max_live = max_live};
  state_quota_set(b->f->state, &quota, on_quota, b);
  fixture_wait(b->f);
}

static int64_t live(Batch *b) {
  state_quota_get(b->f->state, "default", STATE_DEFAULT_TENANT, on_quota, b);
  fixture_wait(b->f);
  return b->live;
}

static void the_quota_counts_all_of_it(void **state) {
  Batch *b = *state;
  set_live(b, 5);
  make_ready(b, 0, 8);
  assert_int_equal(ask(b, A, "", 6, 6, 5000), CLAIM_REFUSED);
  assert_int_equal(pool(b)->n_ready, 8);
  assert_int_equal(ask(b, A, "", 3, 3, 0), CLAIM_GRANTED);
  assert_int_equal(ask(b, B, "", 3, 3, 0), CLAIM_REFUSED);
  /* as many as there are, and as may be had */
  assert_int_equal(ask(b, B, "", 8, 1, 0), CLAIM_GRANTED);
  assert_int_equal(b->n, 2);
  assert_int_equal(live(b), 5);
  leave(b, A, true);
  assert_int_equal(live(b), 2);
  /* what is waited for counts, and comes back */
  assert_int_equal(ask(b, D, "", 1, 1, 0), CLAIM_GRANTED);
  leave(b, B, true);
  assert_int_equal(live(b), 1);
  assert_int_equal(ask(b, C, "", 4, 4, 5000), CLAIM_QUEUED);
  assert_int_equal(live(b), 5);
  assert_int_equal(fixture_claim(b->f, "u1", "", 0, 0), CLAIM_REFUSED);
  leave(b, C, true);
  assert_int_equal(live(b), 1);
  assert_int_equal(ask(b, C, "", 4, 2, 5000), CLAIM_GRANTED);
  assert_int_equal(b->n, 2);
  assert_int_equal(live(b), 3);
  assert_int_equal(ask(b, E, "", 4, 2, 5000), CLAIM_QUEUED);
  assert_int_equal(live(b), 5);
  set_live(b, 6);
  make_ready(b, 8, 4);
  assert_int_equal(ask(b, E, "", 4, 2, 5000), CLAIM_GRANTED);
  assert_int_equal(b->n, 3);
  assert_int_equal(live(b), 6);
}

static void limits(void **state) {
  Batch *b = *state;
  char token[33];
  for (int i = 0; i < 10; i++) {
    snprintf(token, sizeof token, "%028d0000", i);
    assert_int_equal(ask(b, token, "", STATE_BATCH_MAX, STATE_BATCH_MAX, 5000), CLAIM_QUEUED);
  }
  assert_int_equal(ask(b, A, "", 1, 1, 5000), CLAIM_FULL);
  make_ready(b, 0, STATE_BATCH_MAX);
  assert_int_equal(ask(b, token, "", STATE_BATCH_MAX, STATE_BATCH_MAX, 5000), CLAIM_GRANTED);
  assert_int_equal(b->n, STATE_BATCH_MAX);
  assert_string_equal(b->last_uid + 28, "03e7");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(all_or_nothing),
      TEST(as_many_as_there_are),
      TEST(waiting_holds_nothing),
      TEST(single_waiters_come_first),
      TEST(those_that_fit_are_told),
      TEST(repeated),
      TEST(a_token_is_used_once),
      TEST(one_place_for_a_request_id),
      TEST(given_back),
      TEST(left_to_themselves),
      TEST(the_quota_counts_all_of_it),
      TEST(limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
