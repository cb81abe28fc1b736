/* Round trips of random objects: nothing is lost but what the versions cannot say. */
#include "services/reconciler/kubernetes/conversion/conversion.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/conversion/conversion_fixture.h"
#include "services/reconciler/kubernetes/object/well_known.h"

enum { ROUNDS = 3000 };

static json_t *convert(const json_t *object, RandomKind kind, bool hub) {
  KUBE_OWNED json_t *before = json_deep_copy(object);
  json_t *result;
  Error err;
  if (conversion_convert(object, random_api_version(kind, hub), &result, &err))
    fail_msg("%s", err.message);
  assert_true(json_equal(object, before));
  return result;
}

static void assert_same(const json_t *got, const json_t *want, const json_t *origin, int round) {
  if (json_equal(got, want))
    return;
  CLEANUP(str_freep) char *g = json_dumps(got, JSON_SORT_KEYS);
  CLEANUP(str_freep) char *w = json_dumps(want, JSON_SORT_KEYS);
  CLEANUP(str_freep) char *o = json_dumps(origin, JSON_SORT_KEYS);
  fail_msg("round %d\ngot  %s\nwant %s\nof   %s", round, g, w, o);
}

static void test_v1alpha1_comes_back_as_it_was(void **s) {
  Random r = {.state = 20260101};
  for (int i = 0; i < ROUNDS; i++) {
    RandomKind kind = (RandomKind)random_below(&r, RANDOM_KINDS);
    KUBE_OWNED json_t *object = random_object(&r, kind, false);
    KUBE_OWNED json_t *hub = convert(object, kind, true);
    assert_non_null(kube_annotation(hub, random_state_key(kind)));
    KUBE_OWNED json_t *back = convert(hub, kind, false);
    assert_same(back, object, hub, i);
    /* and is stored again as it was, to the letter of the saved state */
    KUBE_OWNED json_t *again = convert(back, kind, true);
    assert_same(again, hub, back, i);
  }
}

static void drop(json_t *object, const char *parent, const char *key) {
  json_object_del(json_object_get(object, parent), key);
}

static void drop_annotation(json_t *object, const char *key) {
  json_t *map = kube_get(object, "metadata.annotations");
  json_object_del(map, key);
  if (map && json_object_size(map) == 0)
    drop(object, "metadata", "annotations");
}

static bool is_word_of_v1alpha1(const char *pool) {
  return str_equal(pool, "none") || str_equal(pool, "default");
}

/* The pool's name after a visit to v1alpha1 without a saved state, where "none", "default" and shadow pools are no
 * pools, so that the bound sandbox or the template decides. To be freed. */
static char *pool_after(const json_t *claim) {
  const char *pool = kube_text(claim, "spec.warmPoolRef.name"), *sandbox = kube_text(claim, "status.sandbox.name");
  bool shadow = str_starts_with(pool, SHADOW_POOL_PREFIX);
  if (!shadow && !is_word_of_v1alpha1(pool))
    return str_dup(pool);
  if (!str_empty(sandbox) && !str_equal(sandbox, kube_name(claim))) {
    const char *hyphen = strrchr(sandbox, '-');
    return hyphen ? str_ndup(sandbox, (size_t)(hyphen - sandbox)) : str_dup(sandbox);
  }
  return shadow ? str_dup(pool) : str_printf(SHADOW_POOL_PREFIX "%s", pool);
}

/* Applies to a v1beta1 object what a visit to v1alpha1 costs it. */
static void lose(json_t *object, RandomKind kind) {
  drop_annotation(object, random_state_key(kind));
  if (kind == RANDOM_SANDBOX) {
    drop(object, "status", "nodeName");
    if (!kube_text(object, "spec.operatingMode"))
      kube_set(object, "spec.operatingMode", json_string("Running"));
  } else if (kind == RANDOM_CLAIM) {
    CLEANUP(str_freep) char *pool = pool_after(object);
    kube_set(object, "spec.warmPoolRef.name", json_string(pool));
    drop(object, "spec", "volumeClaimTemplates");
  } else if (kind == RANDOM_POOL) {
    drop(object, "status", "observedGeneration");
    if (!kube_get(object, "spec.replicas"))
      kube_set(object, "spec.replicas", json_integer(1));
  }
}

/* A status without fields is no status. */
static void drop_empty_status(json_t *object) {
  const json_t *status = json_object_get(object, "status");
  if (status && json_object_size(status) == 0)
    json_object_del(object, "status");
}

static void test_v1beta1_loses_only_what_is_said(void **s) {
  Random r = {.state = 20260202};
  for (int i = 0; i < ROUNDS; i++) {
    RandomKind kind = (RandomKind)random_below(&r, RANDOM_KINDS);
    KUBE_OWNED json_t *object = random_object(&r, kind, true);
    KUBE_OWNED json_t *spoke = convert(object, kind, false);
    KUBE_OWNED json_t *back = convert(spoke, kind, true);
    drop_annotation(back, random_state_key(kind));
    drop_empty_status(back);
    KUBE_OWNED json_t *want = json_deep_copy(object);
    lose(want, kind);
    drop_empty_status(want);
    assert_same(back, want, object, i);
  }
}

/* An object that a v1alpha1 client wrote and a v1beta1 client has changed since: what the second one said wins, and
 * once more through v1alpha1 changes nothing. */
static void test_changes_in_v1beta1_survive_v1alpha1(void **s) {
  Random r = {.state = 20260303};
  int moved = 0;
  for (int i = 0; i < ROUNDS; i++) {
    bool claim = random_once_in(&r, 2);
    RandomKind kind = claim ? RANDOM_CLAIM : RANDOM_SANDBOX;
    KUBE_OWNED json_t *object = random_object(&r, kind, false);
    KUBE_OWNED json_t *hub = convert(object, kind, true);
    json_object_del(hub, "status");
    const char *mode = random_once_in(&r, 2) ? "Running" : "Suspended";
    if (claim)
      kube_set(hub, "spec.warmPoolRef.name", json_string("somewhere-else"));
    else
      kube_set(hub, "spec.operatingMode", json_string(mode));
    KUBE_OWNED json_t *spoke = convert(hub, kind, false);
    KUBE_OWNED json_t *back = convert(spoke, kind, true);
    if (claim) {
      assert_string_equal(kube_text(spoke, "spec.warmpool"), "somewhere-else");
      assert_string_equal(kube_text(back, "spec.warmPoolRef.name"), "somewhere-else");
      moved++;
    } else {
      assert_string_equal(kube_text(back, "spec.operatingMode"), mode);
      assert_int_equal(kube_int(spoke, "spec.replicas", 1), *mode == 'R');
    }
  }
  assert_true(moved > ROUNDS / 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_v1alpha1_comes_back_as_it_was),
      cmocka_unit_test(test_v1beta1_loses_only_what_is_said),
      cmocka_unit_test(test_changes_in_v1beta1_survive_v1alpha1),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
