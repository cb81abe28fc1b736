/* Whole passes over Sandboxes, against a cluster that lags, refuses, loses answers and outlives the reconciler. */
#include "services/reconciler/kubernetes/testing/objects_fixture.h"

#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/testing/pass_fixture.h"

static void put(PassFixture *f) {
  fake_cluster_put(&f->cluster, CLUSTER_SANDBOX,
                   quoted("{'apiVersion':'" AGENTS_V1BETA1
                          "','kind':'Sandbox','metadata':{'name':'s'},'spec':{'service':true,'podTemplate':{'spec':"
                          "{'containers':[{'name':'main','image':'i'}]}},'volumeClaimTemplates':[{'metadata':"
                          "{'name':'data'},'spec':{'accessModes':['ReadWriteOnce']}}]}}"));
}

static void wake(PassFixture *f) {
  controller_add(f->sandboxes, FAKE_NS, "s");
  pass_fixture_settle(f);
}

static size_t count(PassFixture *f, ClusterResource r) {
  return json_object_size(f->cluster.objects[r]);
}

/* One of each, all of them its own, and it says that it is ready. */
static void assert_whole(PassFixture *f) {
  const ClusterResource children[] = {CLUSTER_POD, CLUSTER_SERVICE, CLUSTER_VOLUME_CLAIM};
  const char *uid = kube_uid(fake_cluster_get(&f->cluster, CLUSTER_SANDBOX, "s")), *key;
  for (size_t i = 0; i < ARRAY_LEN(children); i++) {
    json_t *child;
    assert_int_equal(count(f, children[i]), 1);
    json_object_foreach(f->cluster.objects[children[i]], key, child) assert_true(kube_is_controlled_by(child, uid));
  }
  assert_string_equal(pass_fixture_ready(f, CLUSTER_SANDBOX, "s", "status"), "True");
}

static void test_it_gets_one_of_each_although_the_watch_lags(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  put(&f);
  fake_cluster_catch_up(&f.cluster);
  f.cluster.lags = true;
  for (int i = 0; i < 3; i++)
    wake(&f);
  pass_fixture_pod_ready(&f, "s");
  fake_cluster_catch_up(&f.cluster);
  pass_fixture_settle(&f);
  assert_whole(&f);
  int n = f.cluster.n_writes;
  wake(&f);
  assert_int_equal(f.cluster.n_writes, n);
  pass_fixture_deinit(&f);
}

static void test_a_pod_of_another_is_left_alone_and_said(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  f.cluster.lags = true; /* it is not known before the Pod is to be made */
  fake_cluster_put(&f.cluster, CLUSTER_POD,
                   quoted("{'metadata':{'name':'s','ownerReferences':[{'apiVersion':'apps/v1','kind':'ReplicaSet',"
                          "'name':'rs','uid':'u9','controller':true}]}}"));
  json_array_clear(f.cluster.unseen);
  f.cluster.lags = false;
  put(&f);
  pass_fixture_settle(&f);
  assert_string_equal(pass_fixture_ready(&f, CLUSTER_SANDBOX, "s", "status"), "False");
  assert_string_equal(kube_text(kube_controller(fake_cluster_get(&f.cluster, CLUSTER_POD, "s")), "uid"), "u9");
  pass_fixture_deinit(&f);
}

static void test_what_is_invalid_is_not_asked_for_again(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  f.cluster.refused_verb = "create";
  f.cluster.refused = CLUSTER_POD;
  f.cluster.status = 422;
  put(&f);
  pass_fixture_settle(&f);
  assert_string_equal(pass_fixture_ready(&f, CLUSTER_SANDBOX, "s", "status"), "False");
  int n = f.cluster.n_writes;
  for (int i = 0; i < 10; i++)
    wake(&f);
  assert_int_equal(f.cluster.n_writes, n);
  /* until its spec is another */
  f.cluster.refused_verb = NULL;
  fake_cluster_change(&f.cluster, CLUSTER_SANDBOX, "s", NULL,
                      quoted("{'spec':{'podTemplate':{'spec':{'containers':[{'name':'main','image':'j'}]}}}}"));
  pass_fixture_settle(&f);
  pass_fixture_pod_ready(&f, "s");
  pass_fixture_settle(&f);
  assert_whole(&f);
  pass_fixture_deinit(&f);
}

static int try(int at, int way) {
  PassFixture f;
  pass_fixture_init(&f);
  int before = f.cluster.n_writes;
  pass_fixture_fail(&f, at, way);
  put(&f);
  pass_fixture_settle(&f);
  pass_fixture_pod_ready(&f, "s");
  pass_fixture_settle(&f);
  int n = f.cluster.n_writes - before;
  assert_whole(&f);
  pass_fixture_deinit(&f);
  return n;
}

static void test_it_survives_every_failed_write(void **s) {
  int n = try(0, 0);
  assert_in_range(n, 4, 20);
  for (int at = 1; at <= n; at++)
    for (int way = 0; way < PASS_FIXTURE_FAULTS; way++)
      try(at, way);
}

/* Held, it is left alone; let go, it is looked at, though nothing else happened. */
static void test_one_that_is_held_waits(void **s) {
  PassFixture f;
  pass_fixture_init(&f);
  controller_hold(f.sandboxes, FAKE_NS, "s", true);
  put(&f);
  pass_fixture_settle(&f);
  assert_int_equal(count(&f, CLUSTER_POD), 0);
  controller_hold(f.sandboxes, FAKE_NS, "s", false);
  pass_fixture_settle(&f);
  assert_int_equal(count(&f, CLUSTER_POD), 1);
  pass_fixture_deinit(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_it_gets_one_of_each_although_the_watch_lags),
      cmocka_unit_test(test_a_pod_of_another_is_left_alone_and_said),
      cmocka_unit_test(test_what_is_invalid_is_not_asked_for_again),
      cmocka_unit_test(test_it_survives_every_failed_write),
      cmocka_unit_test(test_one_that_is_held_waits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
