#include "lib/kube/kube_object.h"

#include <string.h>

#include "lib/base/test.h"

static void test_hashes_of_the_contract(void **s) {
  static const char *const CASES[][2] = {
      {"", "811c9dc5"},
      {"a", "e40c292c"},
      {"my-sandbox", "374de8f5"},
      {"python-runtime-template", "0572d487"},
      {"python-sandbox-warmpool", "54384ed7"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    char h[9];
    kube_name_hash(CASES[i][0], h);
    assert_string_equal(h, CASES[i][1]);
  }
}

static void test_reads_are_null_safe(void **s) {
  KUBE_OWNED json_t *o = json_pack("{s:{s:s,s:{s:s}},s:i}", "metadata", "name", "n", "labels", "a.b/c", "x", "spec", 3);
  assert_string_equal(kube_name(o), "n");
  assert_string_equal(kube_label(o, "a.b/c"), "x");
  assert_null(kube_text(o, "spec.deep.path"));
  assert_null(kube_text(NULL, "spec"));
  assert_int_equal(kube_int(o, "spec", 1), 3);
  assert_int_equal(kube_int(o, "metadata.name", 7), 7);
  assert_int_equal(kube_bool(o, "spec.service"), -1);
}

static void check_patch(const char *from, const char *to, const char *want) {
  KUBE_OWNED json_t *f = json_loads(from, JSON_DECODE_ANY, NULL);
  KUBE_OWNED json_t *t = json_loads(to, JSON_DECODE_ANY, NULL);
  KUBE_OWNED json_t *p = kube_merge_patch(f, t);
  KUBE_OWNED json_t *w = want ? json_loads(want, JSON_DECODE_ANY, NULL) : NULL;
  assert_true(want ? json_equal(p, w) : p == NULL);
}

static void test_merge_patch(void **s) {
  check_patch("{\"a\":1}", "{\"a\":1}", NULL);
  check_patch("{\"a\":1,\"b\":{\"c\":2}}", "{\"a\":2,\"b\":{}}", "{\"a\":2,\"b\":{\"c\":null}}");
  check_patch("{\"l\":[1,2]}", "{\"l\":[1]}", "{\"l\":[1]}");
  check_patch("{}", "{\"m\":{\"x\":\"y\"}}", "{\"m\":{\"x\":\"y\"}}");
}

static void test_condition_time_moves_with_status_only(void **s) {
  KUBE_OWNED json_t *list = json_array();
  KubeCondition c = {.type = "Ready", .status = "False", .reason = "A", .message = "", .observed_generation = 1};
  assert_true(kube_condition_set(list, &c, "2026-01-01T00:00:00Z"));
  c.reason = "B";
  assert_true(kube_condition_set(list, &c, "2026-01-01T00:00:09Z"));
  assert_string_equal(kube_text(kube_condition(list, "Ready"), "lastTransitionTime"), "2026-01-01T00:00:00Z");
  assert_false(kube_condition_set(list, &c, "2026-01-01T00:00:10Z"));
  c.status = "True";
  assert_true(kube_condition_set(list, &c, "2026-01-01T00:00:11Z"));
  assert_string_equal(kube_text(kube_condition(list, "Ready"), "lastTransitionTime"), "2026-01-01T00:00:11Z");
  assert_true(kube_condition_remove(list, "Ready"));
  assert_false(kube_condition_remove(list, "Ready"));
}

static void test_controller(void **s) {
  KUBE_OWNED json_t *o = json_object();
  assert_null(kube_controller(o));
  json_t *refs = json_array();
  json_array_append_new(refs,
                        json_pack("{s:s,s:s,s:s,s:s}", "apiVersion", "v1", "kind", "Other", "name", "x", "uid", "u0"));
  json_array_append_new(refs, kube_owner_reference("agents.x-k8s.io/v1alpha1", "Sandbox", "n", "u1"));
  kube_set(o, "metadata.ownerReferences", refs);
  assert_true(kube_is_controlled_by(o, "u1"));
  assert_false(kube_is_controlled_by(o, "u0"));
  assert_true(kube_controller_is(o, "agents.x-k8s.io", "Sandbox"));
  assert_false(kube_controller_is(o, "agents", "Sandbox"));
}

static void test_times(void **s) {
  char out[21];
  kube_format_time(1767225600000, out);
  assert_string_equal(out, "2026-01-01T00:00:00Z");
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00Z"), 1767225600000);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00.25+01:00"), 1767225600250 - 3600000);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00.123456789Z"), 1767225600123);
  assert_int_equal(kube_parse_time("yesterday"), -1);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00"), -1);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00Z "), -1);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00-01:30"), 1767225600000 + 5400000);
  /* no number has a sign or a blank of its own */
  assert_int_equal(kube_parse_time("2026-+1-01T00:00:00Z"), -1);
  assert_int_equal(kube_parse_time("2026-01- 1T00:00:00Z"), -1);
  assert_int_equal(kube_parse_time("2026-01-01T00:00:00+-1:30"), -1);
  assert_int_equal(kube_parse_time(NULL), -1);
}

static void test_a_message_that_was_cut_inside_a_character(void **s) {
  static const char *const CASES[][2] = {
      {"caf\xc3", "caf?"},
      {"\xe2\x82\xac 3 \xe2\x82", "\xe2\x82\xac 3 ??"},
      {"a\xff\xc0\xaf b", "a??? b"},
      {"\xf0\x9f\x98", "???"},
      {NULL, ""},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    KUBE_OWNED json_t *list = json_pack("[{s:s,s:s}]", "type", "Ready", "status", "True");
    KubeCondition c = {.type = "Ready", .status = "False", .reason = "R", .message = CASES[i][0]};
    assert_true(kube_condition_set(list, &c, "2026-01-01T00:00:00Z"));
    assert_true(kube_condition_is(list, "Ready", "False"));
    assert_string_equal(kube_text(kube_condition(list, "Ready"), "message"), CASES[i][1]);
    assert_false(kube_condition_set(list, &c, "2026-01-02T00:00:00Z"));
  }
}

static void test_what_is_no_object_stays(void **s) {
  KUBE_OWNED json_t *o = json_pack("{s:s,s:[i]}", "metadata", "x", "spec", 1);
  KUBE_OWNED json_t *text = json_string("x");
  kube_set(text, "spec.a", json_integer(1));
  kube_set_label(text, "a", "b");
  kube_set_label(NULL, "a", "b");
  assert_string_equal(json_string_value(text), "x");
  /* in an object, what is in the way goes */
  kube_set_label(o, "a", "b");
  kube_set(o, "spec.a", json_integer(1));
  assert_string_equal(kube_label(o, "a"), "b");
  assert_int_equal(kube_int(o, "spec.a", 0), 1);
}

static void test_all_conditions_of_a_type_go(void **s) {
  KUBE_OWNED json_t *list = json_pack("[{s:s},{s:s},{s:s}]", "type", "A", "type", "B", "type", "A");
  assert_true(kube_condition_remove(list, "A"));
  assert_int_equal(json_array_size(list), 1);
  assert_false(kube_condition_remove(list, "A"));
}

static void test_a_merge_patch_comes_to_rest(void **s) {
  KUBE_OWNED json_t *from = json_pack("{s:i,s:n}", "gone", 1, "empty");
  KUBE_OWNED json_t *to = json_pack("{s:n,s:n,s:n,s:{s:n}}", "gone", "empty", "new", "map", "x");
  KUBE_OWNED json_t *patch = kube_merge_patch(from, to);
  KUBE_OWNED json_t *want = json_pack("{s:n,s:{s:n}}", "gone", "map", "x");
  assert_true(json_equal(patch, want));
  KUBE_OWNED json_t *then = json_pack("{s:n,s:{}}", "empty", "map");
  assert_null(kube_merge_patch(then, to));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hashes_of_the_contract),
      cmocka_unit_test(test_reads_are_null_safe),
      cmocka_unit_test(test_merge_patch),
      cmocka_unit_test(test_condition_time_moves_with_status_only),
      cmocka_unit_test(test_controller),
      cmocka_unit_test(test_times),
      cmocka_unit_test(test_a_merge_patch_comes_to_rest),
      cmocka_unit_test(test_all_conditions_of_a_type_go),
      cmocka_unit_test(test_what_is_no_object_stays),
      cmocka_unit_test(test_a_message_that_was_cut_inside_a_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
