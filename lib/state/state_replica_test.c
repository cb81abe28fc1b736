/* A master and its replica: what must be on both, and what is believed of a replica that became master. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "lib/redis/redis_server_fixture.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_quota.h"
#include "lib/state/state_sandbox.h"

enum { MASTER = 16393, REPLICA = 16394 };

typedef struct Pair {
  pid_t master, replica;
} Pair;

static const RedisConfig AT_MASTER = {.address = "127.0.0.1:16393"}, AT_REPLICA = {.address = "127.0.0.1:16394"},
                         WAITS = {.address = "127.0.0.1:16393", .min_replicas = 1, .wait_ms = 300},
                         WAITS_LONG = {.address = "127.0.0.1:16393", .min_replicas = 1, .wait_ms = 8000};

static int setup(void **state) {
  static int n;
  char master[16], replica[16];
  snprintf(master, sizeof master, "m%d", ++n);
  snprintf(replica, sizeof replica, "r%d", n);
  Pair *p = calloc(1, sizeof *p);
  p->master = redis_server_start(master, MASTER, (const char *[]){"--repl-diskless-sync-delay", "0", NULL});
  p->replica = redis_server_start(replica, REPLICA, (const char *[]){"--replicaof", "127.0.0.1", "16393", NULL});
  redis_cli_until(REPLICA, "info replication", "master_link_status:up");
  *state = p;
  return 0;
}

static int teardown(void **state) {
  Pair *p = *state;
  redis_server_kill(p->master);
  redis_server_kill(p->replica);
  free(p);
  return 0;
}

static void same_on_both(void) {
  assert_true(redis_cli(MASTER, NULL, 0, "set marker x"));
  redis_cli_until(REPLICA, "get marker", "x");
}

static void on_quota(void *arg, const QuotaRecord *q, const Error *err) {
  fixture_done(arg, err);
}

static void replicas_acknowledge(void **state) {
  Pair *p = *state;
  Fixture *f = fixture_new_at("r", &WAITS_LONG);
  fixture_make_pool(f, 2);
  assert_string_equal(f->err.message, "");
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  assert_int_equal(fixture_claim(f, "u1", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->err.message, "");
  assert_true(redis_cli(REPLICA, f->text, sizeof f->text, "hget 'sp:{default}/p:uids' u1"));
  assert_contains(f->text, "p-aaaaa");
  fixture_free(f);

  /* a replica that hangs: not acknowledged, however often it is asked, though the master has it */
  f = fixture_new_at("r", &WAITS);
  kill(p->replica, SIGSTOP);
  for (int i = 0; i < 2; i++) {
    fixture_claim(f, "u2", "", 0, 0);
    assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
    assert_contains(f->err.message, "0 of 1 replicas");
    assert_true(f->err.retry_after_ms > 0);
  }
  state_release(f->state, "default", "p-aaaaa", "u1", "Deleted", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  const QuotaRecord quota = {.ns = "default", .tenant = "a", .max_live = 1};
  state_quota_set(f->state, &quota, on_quota, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  state_quota_delete(f->state, "default", "a", fixture_done, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  /* what is only read is answered */
  state_quota_get(f->state, "default", "a", on_quota, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NOT_FOUND);
  assert_int_equal(fixture_get(f, "p-bbbbb"), SANDBOX_CLAIMED);
  kill(p->replica, SIGCONT);
  for (int i = 0; i < 100; i++) {
    fixture_claim(f, "u2", "", 0, 0);
    if (!f->err.kind)
      break;
  }
  assert_string_equal(f->err.message, "");
  assert_string_equal(f->id, "p-bbbbb");
  fixture_free(f);
}

/* n sandboxes of p, CREATING: p-00000 and so on. */
static void register_many(Fixture *f, int n) {
  static char names[1000][16];
  const char *ids[1000];
  assert_true(n <= 1000);
  for (int i = 0; i < n; i++) {
    snprintf(names[i], sizeof names[i], "p-%05d", i);
    ids[i] = names[i];
  }
  state_register(f->state, "default", "p", "t", "h1", ids, (size_t)n, fixture_done, f);
  fixture_wait(f);
}

/* The master is lost, and the replica takes its place. */
static void promote(Pair *p) {
  kill(p->master, SIGKILL);
  redis_cli(REPLICA, NULL, 0, "replicaof no one");
}

/* The last claim is acknowledged by the master alone and lost with it. */
static void nothing_unproven_is_given_away(void **state) {
  Pair *p = *state;
  Fixture *f = fixture_new_at("r", &AT_MASTER);
  fixture_make_pool(f, 2);
  fixture_make_ready(f, "p-aaaaa");
  fixture_make_ready(f, "p-bbbbb");
  const char *creating = "p-ccccc";
  state_register(f->state, "default", "p", "t", "h1", &creating, 1, fixture_done, f);
  fixture_wait(f);
  same_on_both();
  redis_cli(REPLICA, NULL, 0, "replicaof 127.0.0.1 1");
  assert_int_equal(fixture_claim(f, "lost", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  /* and one came up, and was taken */
  state_ready(f->state, "default", creating, "unix:/c", "gvisor", fixture_ready, f);
  fixture_wait(f);
  fixture_free(f);
  promote(p);

  f = fixture_new_at("r", &AT_REPLICA);
  /* somebody waits; what was CREATING here and is told to be up must not go to him */
  assert_int_equal(fixture_claim(f, "u2", "", 0, 60000), CLAIM_QUEUED);
  state_ready(f->state, "default", creating, "unix:/c", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  static const char *const OLD[] = {"p-aaaaa", "p-bbbbb", "p-ccccc"};
  for (size_t i = 0; i < ARRAY_LEN(OLD); i++) {
    assert_int_equal(fixture_get(f, OLD[i]), SANDBOX_RELEASING);
    assert_string_equal(f->reason, "Unproven");
  }
  /* a new one goes to him, and from then on all is as ever */
  const char *fresh = "p-ddddd";
  state_register(f->state, "default", "p", "t", "h1", &fresh, 1, fixture_done, f);
  fixture_wait(f);
  state_ready(f->state, "default", fresh, "unix:/d", "gvisor", fixture_ready, f);
  fixture_wait(f);
  assert_true(f->flag);
  fixture_make_ready(f, "p-eeeee");
  assert_int_equal(fixture_claim(f, "u3", "", 0, 0), CLAIM_GRANTED);
  assert_string_equal(f->id, "p-eeeee");
  fixture_free(f);
}

/* Nobody claims: the look at what has expired finds it. */
static void idle_pools_are_fenced(void **state) {
  Pair *p = *state;
  Fixture *f = fixture_new_at("r", &AT_MASTER);
  fixture_make_pool(f, 1);
  enum { N = 600 };
  register_many(f, N);
  same_on_both();
  fixture_free(f);
  promote(p);
  f = fixture_new_at("r", &AT_REPLICA);
  for (int i = 0; i < 2; i++) {
    /* more than one step; nobody is served between */
    state_expire(f->state, "default", "p", fixture_expired, f);
    fixture_wait(f);
    assert_int_equal(f->next_ms == INT64_MAX, i == 1);
  }
  state_pool_get(f->state, "default", "p", fixture_pool, f);
  fixture_wait(f);
  assert_int_equal(f->pool.n_creating, 0);
  assert_int_equal(f->pool.n_releasing, N);
  fixture_free(f);
}

/* It starts again in the midst of that, and no longer looks promoted. */
static void a_fence_survives_a_restart(void **state) {
  Pair *p = *state;
  Fixture *f = fixture_new_at("r", &AT_MASTER);
  fixture_make_pool(f, 1);
  register_many(f, 501);
  state_ready(f->state, "default", "p-00500", "unix:/a", "gvisor", fixture_ready, f);
  fixture_wait(f);
  state_ready(f->state, "default", "p-00000", "unix:/b", "gvisor", fixture_ready, f);
  fixture_wait(f);
  same_on_both();
  fixture_free(f);
  promote(p);
  f = fixture_new_at("r", &AT_REPLICA);
  state_expire(f->state, "default", "p", fixture_expired, f);
  fixture_wait(f);
  assert_string_equal(f->err.message, "");
  assert_int_equal(fixture_get(f, "p-00499"), SANDBOX_CREATING);
  /* what a replica got from its master is on its own disk only then */
  redis_cli_until(REPLICA, "info persistence", "aof_rewrite_scheduled:0");
  redis_cli_until(REPLICA, "info persistence", "aof_rewrite_in_progress:0");
  redis_server_kill(p->replica);
  p->replica = redis_server_start("r6", REPLICA, NULL);
  do
    state_ready(f->state, "default", "p-00499", "unix:/c", "gvisor", fixture_ready, f), fixture_wait(f);
  while (f->err.kind == ERROR_UNAVAILABLE);
  assert_int_equal(f->err.kind, ERROR_FAILED_PRECONDITION);
  assert_int_equal(fixture_get(f, "p-00499"), SANDBOX_RELEASING);
  assert_string_equal(f->reason, "Unproven");
  fixture_free(f);
}

/* A server that starts again has lost nothing, and keeps its warm sandboxes. */
static void a_restart_keeps_all(void **state) {
  Pair *p = *state;
  Fixture *f = fixture_new_at("r", &AT_MASTER);
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  redis_server_kill(p->master);
  p->master = redis_server_start("m4", MASTER, NULL);
  /* the first may be lost with the connection */
  do
    fixture_claim(f, "u1", "", 0, 0);
  while (f->err.kind == ERROR_UNAVAILABLE);
  assert_int_equal(f->outcome, CLAIM_GRANTED);
  assert_string_equal(f->id, "p-aaaaa");
  fixture_free(f);
}

/* What is made a replica by hand is left, and so is what was one for a moment. */
static void changes_under_a_connection(void **state) {
  Fixture *f = fixture_new_at("r", &AT_MASTER);
  fixture_make_pool(f, 1);
  fixture_make_ready(f, "p-aaaaa");
  redis_cli(REPLICA, NULL, 0, "replicaof no one");
  redis_cli(MASTER, NULL, 0, "replicaof 127.0.0.1 16394");
  redis_cli(MASTER, NULL, 0, "replicaof no one");
  /* at once the old name may still be told; within a second it is another */
  for (int i = 0; i < 600 && fixture_get(f, "p-aaaaa") != SANDBOX_RELEASING; i++) {
    state_expire(f->state, "default", "p", fixture_expired, f);
    fixture_wait(f);
    usleep(20000);
  }
  assert_string_equal(f->reason, "Unproven");
  fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(replicas_acknowledge),       TEST(nothing_unproven_is_given_away),
                                     TEST(idle_pools_are_fenced),      TEST(a_restart_keeps_all),
                                     TEST(changes_under_a_connection), TEST(a_fence_survives_a_restart)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
