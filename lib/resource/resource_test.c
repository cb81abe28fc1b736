/* Names are accepted and refused by the letter; a page token survives only untouched and with its own query. */
#include "lib/resource/resource.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

static void names(void **state) {
  static const struct {
    const char *name;
    bool ok;
  } rows[] = {
      {"namespaces/default/sandboxes/p-abcde", true},
      {"namespaces/" L63 "/sandboxes/" L63, true},
      {"namespaces/" L63 "x/sandboxes/a", false},
      {"namespaces/a/sandboxes/" L63 "x", false},
      {"namespaces/default/pools/p", false},
      {"namespaces/default/sandboxes/", false},
      {"namespaces/default/sandboxes", false},
      {"namespaces//sandboxes/a", false},
      {"namespaces/a/sandboxes/b/", false},
      {"namespaces/a/sandboxes/b/c", false},
      {"namespaces/a/sandboxes/B", false},
      {"namespaces/-/sandboxes/b", false},
      {"namespaces/a/sandboxesx/b", false},
      {"/namespaces/a/sandboxes/b", false},
      {"namespaces/a", false},
      {"a", false},
      {"", false},
      {NULL, false},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    ResourceName name;
    Error err = {0};
    int r = resource_name_parse(rows[i].name, "sandboxes", "sandbox.name", &name, &err);
    if (r != (rows[i].ok ? 0 : -1))
      fail_msg("%s: %d %s", rows[i].name ? rows[i].name : "NULL", r, err.message);
    if (r == 0) {
      char out[RESOURCE_NAME_SIZE];
      resource_name_format(out, name.ns, "sandboxes", name.id);
      assert_string_equal(out, rows[i].name);
    } else {
      assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
      assert_string_equal(err.field, "sandbox.name");
    }
  }
}

static void parents(void **state) {
  char ns[RESOURCE_SEGMENT_MAX + 1];
  Error err = {0};
  assert_ok(resource_parent_parse("namespaces/team-a", false, "parent", ns, &err), &err);
  assert_string_equal(ns, "team-a");
  assert_ok(resource_parent_parse("namespaces/-", true, "parent", ns, &err), &err);
  assert_string_equal(ns, "");
  static const char *bad[] = {"namespaces/-", "namespaces/", "namespaces/a/", "namespaces/a/b", "a", "", NULL};
  for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
    assert_int_equal(resource_parent_parse(bad[i], false, "parent", ns, &err), -1);
    assert_string_equal(err.field, "parent");
  }
}

static void page_sizes(void **state) {
  size_t size;
  Error err = {0};
  assert_ok(resource_page_size(0, &size, &err), &err);
  assert_int_equal(size, RESOURCE_PAGE_DEFAULT);
  assert_ok(resource_page_size(7, &size, &err), &err);
  assert_int_equal(size, 7);
  assert_ok(resource_page_size(INT32_MAX, &size, &err), &err);
  assert_int_equal(size, RESOURCE_PAGE_MAX);
  assert_int_equal(resource_page_size(-1, &size, &err), -1);
  assert_string_equal(err.field, "page_size");
}

static void tokens(void **state) {
  char position[RESOURCE_POSITION_MAX + 1];
  Error err = {0};
  assert_ok(resource_page_position("", "q", position, &err), &err);
  assert_string_equal(position, "");
  CLEANUP(str_freep) char *token = resource_token_seal("q", "default/pool pool-abcde");
  assert_ok(resource_page_position(token, "q", position, &err), &err);
  assert_string_equal(position, "default/pool pool-abcde");
  assert_int_equal(resource_page_position(token, "other", position, &err), -1);
  assert_string_equal(err.field, "page_token");

  for (size_t i = 0; token[i]; i++) {
    char was = token[i];
    token[i] = was == 'A' ? 'B' : 'A';
    assert_int_equal(resource_page_position(token, "q", position, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, "page_token");
    token[i] = was;
  }
  for (size_t cut = strlen(token) - 1; cut > 0; cut--) {
    token[cut] = '\0';
    assert_int_equal(resource_page_position(token, "q", position, &err), -1);
  }
  char huge[4096];
  memset(huge, 'A', sizeof huge);
  huge[sizeof huge - 1] = '\0';
  assert_int_equal(resource_page_position(huge, "q", position, &err), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names),
      cmocka_unit_test(parents),
      cmocka_unit_test(page_sizes),
      cmocka_unit_test(tokens),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
