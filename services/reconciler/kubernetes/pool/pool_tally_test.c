/* The tally against counting, over a history of changes. */
#include "services/reconciler/kubernetes/pool/pool_tally.h"

#include <stdint.h>
#include <stdio.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

enum { N_SANDBOXES = 12, N_STEPS = 5000 };

static json_t *sandbox(int i, const char *pool_uid, const char *kind, bool ready, bool deleting) {
  char name[20];
  snprintf(name, sizeof name, "p-%d", i);
  json_t *s =
      json_pack("{s:{s:s,s:s,s:[{s:s,s:s,s:s,s:s,s:b}]},s:{s:[{s:s,s:s}]}}", "metadata", "name", name, "namespace", "n",
                "ownerReferences", "apiVersion", EXTENSIONS_V1BETA1, "kind", kind, "name", "p", "uid", pool_uid,
                "controller", 1, "status", "conditions", "type", "Ready", "status", ready ? "True" : "False");
  if (deleting)
    kube_set(s, "metadata.deletionTimestamp", json_string("2026-01-01T00:00:00Z"));
  return s;
}

static bool counts(const json_t *s, const char *uid, bool ready) {
  return s && !kube_is_deleting(s) && kube_controller_is(s, EXTENSIONS_GROUP, KIND_POOL) &&
         str_equal(kube_text(kube_controller(s), "uid"), uid) &&
         kube_condition_is(kube_get(s, "status.conditions"), "Ready", "True") == ready;
}

static void check(const PoolTally *t, json_t *const *all, const char *uid) {
  int ready = 0, unready = 0;
  for (int i = 0; i < N_SANDBOXES; i++) {
    ready += counts(all[i], uid, true);
    unready += counts(all[i], uid, false);
    if (counts(all[i], uid, false))
      assert_non_null(json_object_get(pool_tally_unready(t, uid), kube_name(all[i])));
  }
  assert_int_equal(pool_tally_ready(t, uid), ready);
  assert_int_equal(pool_tally_active(t, uid), ready + unready);
  assert_int_equal(json_object_size(pool_tally_unready(t, uid)), unready);
}

static void test_any_history(void **state) {
  PoolTally t;
  json_t *all[N_SANDBOXES] = {0};
  pool_tally_init(&t);
  for (uint32_t step = 0; step < N_STEPS; step++) {
    uint32_t r = step * UINT32_C(2654435761) >> 8;
    int i = (int)(r % N_SANDBOXES);
    json_t *next = NULL;
    if (r >> 4 & 7)
      next = sandbox(i, r >> 7 & 1 ? "a" : "b", r >> 8 & 3 ? KIND_POOL : KIND_CLAIM, r >> 10 & 1, (r >> 11 & 7) == 0);
    if (!next && !all[i])
      continue;
    pool_tally_change(&t, all[i], next);
    json_decref(all[i]);
    all[i] = next;
    check(&t, all, "a");
    check(&t, all, "b");
  }
  for (int i = 0; i < N_SANDBOXES; i++) {
    if (all[i])
      pool_tally_change(&t, all[i], NULL);
    json_decref(all[i]);
  }
  /* nothing is kept of pools that have no members */
  assert_int_equal(json_object_size(t.pools), 0);
  assert_null(pool_tally_unready(&t, "a"));
  pool_tally_deinit(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_history)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
