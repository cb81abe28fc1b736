#include "services/reconciler/kubernetes/cluster/cluster.h"

#include "lib/base/test.h"

/* As when what comes between, the webhook, cannot be: whoever began it gets the error, and no more. */
static void test_one_that_was_never_started_ends(void **s) {
  Loop *loop = loop_new();
  Cluster c = {.loop = loop};
  cluster_disconnect(&c);
  cluster_deinit(&c);
  loop_free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_that_was_never_started_ends),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
