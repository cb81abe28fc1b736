/* Sharing changes nothing but where the parts are, keeps apart what differs, and forgets. */
#include "lib/kube/kube_share.h"

#include <stdio.h>

#include "lib/base/test.h"
#include "lib/kube/kube_object.h"

static json_t *pod(int i, const char *image) {
  char name[32];
  snprintf(name, sizeof name, "pod-%d", i);
  return json_pack("{s:{s:s,s:s,s:{s:s,s:s}},s:{s:[{s:s,s:s,s:[{s:i,s:b}]}]},s:{s:[{s:s}],s:n,s:f}}", "metadata",
                   "name", name, "namespace", "n", "labels", "a", "1", "b", "2", "spec", "containers", "name", "main",
                   "image", image, "ports", "containerPort", 8888, "open", 1, "status", "podIPs", "ip", name, "nothing",
                   "part", 0.5);
}

static void test_equal_parts_are_kept_once(void **state) {
  KubeShare *share = kube_share_new();
  KUBE_OWNED json_t *a = pod(1, "x"), *b = pod(2, "x"), *c = pod(3, "y");
  KUBE_OWNED json_t *b_copy = json_deep_copy(b), *c_copy = json_deep_copy(c);
  kube_share(share, a);
  kube_share(share, b);
  kube_share(share, c);
  assert_true(json_equal(b, b_copy) && json_equal(c, c_copy));
  assert_ptr_equal(kube_get(a, "metadata.labels"), kube_get(b, "metadata.labels"));
  assert_ptr_equal(kube_get(a, "metadata.namespace"), kube_get(c, "metadata.namespace"));
  assert_ptr_equal(kube_get(a, "spec"), kube_get(b, "spec"));
  assert_ptr_not_equal(kube_get(a, "spec.containers"), kube_get(c, "spec.containers"));
  assert_ptr_equal(kube_get(json_array_get(kube_get(a, "spec.containers"), 0), "ports"),
                   kube_get(json_array_get(kube_get(c, "spec.containers"), 0), "ports"));
  assert_ptr_not_equal(kube_get(a, "metadata"), kube_get(b, "metadata"));
  assert_ptr_not_equal(kube_get(a, "status"), kube_get(b, "status"));
  kube_share_free(share);
}

static void test_the_order_of_keys_does_not_matter_but_that_of_lists_does(void **state) {
  KubeShare *share = kube_share_new();
  KUBE_OWNED json_t *a = json_loads("{\"m\":{\"l\":{\"x\":\"1\",\"y\":\"2\"},\"s\":[\"1\",\"2\"]}}", 0, NULL);
  KUBE_OWNED json_t *b = json_loads("{\"m\":{\"l\":{\"y\":\"2\",\"x\":\"1\"},\"s\":[\"2\",\"1\"]}}", 0, NULL);
  kube_share(share, a);
  kube_share(share, b);
  assert_ptr_equal(kube_get(a, "m.l"), kube_get(b, "m.l"));
  assert_ptr_not_equal(kube_get(a, "m.s"), kube_get(b, "m.s"));
  kube_share_free(share);
}

/* Many that differ pass by; those seen all the time go on being shared, and the rest is let go. */
static void test_what_is_not_seen_again_is_forgotten(void **state) {
  KubeShare *share = kube_share_new();
  KUBE_OWNED json_t *first = pod(0, "x");
  kube_share(share, first);
  json_t *rare = json_incref(kube_get(first, "status.podIPs"));
  size_t before = rare->refcount;
  int n_shared = 0;
  for (int i = 1; i <= 20000; i++) {
    KUBE_OWNED json_t *next = pod(i, "x"), *copy = json_deep_copy(next);
    kube_share(share, next);
    assert_true(json_equal(next, copy));
    n_shared += kube_get(next, "spec.containers") == kube_get(first, "spec.containers");
  }
  assert_true(n_shared > 19000);
  assert_true(rare->refcount < before);
  json_decref(rare);
  kube_share_free(share);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_equal_parts_are_kept_once),
      cmocka_unit_test(test_the_order_of_keys_does_not_matter_but_that_of_lists_does),
      cmocka_unit_test(test_what_is_not_seen_again_is_forgotten),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
