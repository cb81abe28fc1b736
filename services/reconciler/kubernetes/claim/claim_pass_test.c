/* Whole passes over claims, against a cluster that lags, refuses, loses answers and outlives the reconciler. */
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/testing/pass_fixture.h"

#define MEMBER "p-a1b2c"
#define OTHER "p-d3e4f"
#define OLD_CLIENT "shadow-pool-t"

static const char *sandbox_of(PassFixture *f, const char *claim) {
  return kube_text(fake_cluster_get(&f->cluster, CLUSTER_CLAIM, claim), "status.sandbox.name");
}

static size_t told(const PassFixture *f, const char *reason) {
  size_t i, n = 0;
  json_t *v;
  json_array_foreach(f->cluster.told, i, v) n += str_equal(json_string_value(v), reason);
  return n;
}

static void wake(PassFixture *f, const char *claim) {
  controller_add(f->claims, FAKE_NS, claim);
  pass_fixture_settle(f);
}

/* The claim has one Sandbox, which is ready, and says so; nothing else was made or taken for it. */
static void assert_bound_once(PassFixture *f, const char *claim, const char *sandbox, int n_members) {
  assert_int_equal(pass_fixture_held(f, claim), 1);
  assert_string_equal(sandbox_of(f, claim), sandbox);
  assert_string_equal(pass_fixture_ready(f, CLUSTER_CLAIM, claim, "status"), "True");
  assert_string_equal(kube_annotation(fake_cluster_get(&f->cluster, CLUSTER_CLAIM, claim), ANNOTATION_SANDBOX_NAME),
                      sandbox);
  assert_int_equal(f->state.n_granted, n_members);
  assert_int_equal(json_object_size(f->cluster.objects[CLUSTER_POD]),
                   json_object_size(f->cluster.objects[CLUSTER_SANDBOX]));
}

static void test_a_claim_gets_a_ready_member(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  pass_fixture_member(&f, MEMBER, true);
  pass_fixture_claim(&f, "c", "p");
  pass_fixture_settle(&f);
  assert_bound_once(&f, "c", MEMBER, 1);
  assert_int_equal(told(&f, "SandboxAdopted"), 1);
  /* and rests */
  int n = f.cluster.n_writes;
  wake(&f, "c");
  assert_int_equal(f.cluster.n_writes, n);
  pass_fixture_deinit(&f);
}

static void test_it_is_bound_once_although_the_watch_lags(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  pass_fixture_member(&f, MEMBER, true);
  pass_fixture_member(&f, OTHER, true);
  pass_fixture_claim(&f, "c", "p");
  fake_cluster_catch_up(&f.cluster);
  f.cluster.lags = true;
  for (int i = 0; i < 3; i++)
    wake(&f, "c");
  char got[64];
  snprintf(got, sizeof got, "%s", sandbox_of(&f, "c"));
  assert_bound_once(&f, "c", got, 1);
  fake_cluster_catch_up(&f.cluster);
  pass_fixture_settle(&f);
  assert_bound_once(&f, "c", got, 1);
  assert_int_equal(told(&f, "SandboxAdopted"), 1);
  pass_fixture_deinit(&f);
}

static void test_a_conflict_is_looked_at_again(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  pass_fixture_member(&f, MEMBER, true);
  /* somebody changes the member, and the watch has not told of it yet */
  f.cluster.lags = true;
  fake_cluster_change(&f.cluster, CLUSTER_SANDBOX, MEMBER, NULL, quoted("{'metadata':{'labels':{'by':'somebody'}}}"));
  fake_cluster_put(&f.cluster, CLUSTER_POOL, quoted("{'metadata':{'name':'unrelated'},'spec':{}}"));
  f.cluster.lags = false;
  json_t *events = f.cluster.unseen;
  f.cluster.unseen = json_array();
  pass_fixture_claim(&f, "c", "p");
  pass_fixture_settle(&f);
  assert_bound_once(&f, "c", MEMBER, 1);
  const json_t *sandbox = fake_cluster_get(&f.cluster, CLUSTER_SANDBOX, MEMBER);
  assert_string_equal(kube_label(sandbox, "by"), "somebody");
  assert_int_equal(told(&f, "SandboxAdopted"), 1);
  json_decref(events);
  pass_fixture_deinit(&f);
}

static void test_a_refusal_by_admission_is_a_condition_and_no_loop(void **s) {
  const struct {
    int status;
    const char *reason;
    int writes_max; /* in ten minutes: what is refused for good is asked once in five, the rest backs off */
  } rows[] = {{422, "InvalidConfiguration", 8}, {403, "ReconcilerError", 24}};
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    PassFixture f;
    pass_fixture_init(&f);
    f.cluster.refused_verb = "create";
    f.cluster.refused = CLUSTER_SANDBOX;
    f.cluster.status = rows[i].status;
    pass_fixture_claim(&f, "c", "p");
    pass_fixture_settle(&f);
    assert_string_equal(pass_fixture_ready(&f, CLUSTER_CLAIM, "c", "status"), "False");
    assert_string_equal(pass_fixture_ready(&f, CLUSTER_CLAIM, "c", "reason"), rows[i].reason);
    fake_cluster_pass(&f.cluster, 600000);
    assert_in_range(f.cluster.n_writes, 2, rows[i].writes_max);
    assert_int_equal(pass_fixture_held(&f, "c"), 0);
    /* and when it is allowed, it goes on */
    f.cluster.refused_verb = NULL;
    wake(&f, "c");
    assert_int_equal(pass_fixture_held(&f, "c"), 1);
    pass_fixture_deinit(&f);
  }
}

static void test_a_quota_is_no_way_to_a_cold_sandbox(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  f.state.refuses = true;
  pass_fixture_claim(&f, "c", "p");
  pass_fixture_settle(&f);
  assert_string_equal(pass_fixture_ready(&f, CLUSTER_CLAIM, "c", "reason"), "QuotaExceeded");
  assert_int_equal(json_object_size(f.cluster.objects[CLUSTER_SANDBOX]), 0);
  pass_fixture_deinit(&f);
}

static void test_without_the_state_it_starts_cold(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  f.state.away = true;
  pass_fixture_claim(&f, "c", "p");
  pass_fixture_settle(&f);
  pass_fixture_pod_ready(&f, "c");
  pass_fixture_settle(&f);
  assert_bound_once(&f, "c", "c", 0);
  assert_int_equal(told(&f, "SandboxProvisioned"), 1);
  pass_fixture_deinit(&f);
}

/* ---- every write fails in every way ---- */

typedef struct Way {
  const char *pool; /* that the claim names */
  bool is_warm;
  const char *sandbox; /* that it gets */
} Way;

/* From the claim on, until it is Ready. */
static void go_through(PassFixture *f, const Way *w) {
  pass_fixture_claim(f, "c", w->pool);
  pass_fixture_settle(f);
  if (!w->is_warm) {
    pass_fixture_pod_ready(f, w->sandbox);
    pass_fixture_settle(f);
  }
}

/* How many writes it takes; at: the one that fails, 0: none. */
static int try(const Way *w, int at, int way) {
  PassFixture f;
  pass_fixture_init(&f);
  if (w->is_warm) {
    pass_fixture_member(&f, MEMBER, true);
    pass_fixture_member(&f, OTHER, true);
  }
  int before = f.cluster.n_writes;
  pass_fixture_fail(&f, at, way);
  go_through(&f, w);
  int n = f.cluster.n_writes - before;
  const char *got = sandbox_of(&f, "c");
  assert_non_null(got);
  CLEANUP(str_freep) char *sandbox = str_dup(w->sandbox ? w->sandbox : got);
  /* one Pod for each Sandbox, and the member that was moved is gone */
  assert_bound_once(&f, "c", sandbox, w->is_warm ? 1 : 0);
  /* whatever fails, nothing is left to do */
  int rest = f.cluster.n_writes;
  wake(&f, "c");
  assert_int_equal(f.cluster.n_writes, rest);
  pass_fixture_deinit(&f);
  return n;
}

static void fail_each(const Way *w) {
  int n = try(w, 0, 0);
  assert_in_range(n, 2, 20);
  for (int at = 1; at <= n; at++)
    for (int way = 0; way < PASS_FIXTURE_FAULTS; way++)
      try(w, at, way);
}

static void test_a_warm_claim_survives_every_failed_write(void **s) {
  fail_each(&(Way){"p", true, NULL});
}
static void test_a_cold_claim_survives_every_failed_write(void **s) {
  fail_each(&(Way){"p", false, "c"});
}
static void test_a_pod_that_moves_survives_every_failed_write(void **s) {
  fail_each(&(Way){OLD_CLIENT, true, "c"});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_claim_gets_a_ready_member),
      cmocka_unit_test(test_it_is_bound_once_although_the_watch_lags),
      cmocka_unit_test(test_a_conflict_is_looked_at_again),
      cmocka_unit_test(test_a_refusal_by_admission_is_a_condition_and_no_loop),
      cmocka_unit_test(test_a_quota_is_no_way_to_a_cold_sandbox),
      cmocka_unit_test(test_without_the_state_it_starts_cold),
      cmocka_unit_test(test_a_warm_claim_survives_every_failed_write),
      cmocka_unit_test(test_a_cold_claim_survives_every_failed_write),
      cmocka_unit_test(test_a_pod_that_moves_survives_every_failed_write),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
