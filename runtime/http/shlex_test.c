/* Against what Python 3.11's shlex.split gave for the same lines. */

#include "runtime/http/shlex.h"

#include "lib/base/test.h"

static const struct {
  const char *line;
  const char *words[8];
  const char *error;
} CASES[] = {
    {"echo hi", {"echo", "hi", NULL}, NULL},
    {"  a   b\tc\n", {"a", "b", "c", NULL}, NULL},
    {"echo 'Hello from the sandboxed environment!'", {"echo", "Hello from the sandboxed environment!", NULL}, NULL},
    {"a \"b c\" d", {"a", "b c", "d", NULL}, NULL},
    {"a\\ b", {"a b", NULL}, NULL},
    {"\"a\\\"b\"", {"a\"b", NULL}, NULL},
    {"'a\\'", {"a\\", NULL}, NULL},
    {"\"a\\x\"", {"a\\x", NULL}, NULL},
    {"a'b'c\"d\"", {"abcd", NULL}, NULL},
    {"''", {"", NULL}, NULL},
    {"a \"\" b", {"a", "", "b", NULL}, NULL},
    {"#not a comment", {"#not", "a", "comment", NULL}, NULL},
    {"a;b|c&&d>e $X *", {"a;b|c&&d>e", "$X", "*", NULL}, NULL},
    {"\"unclosed", {NULL}, "No closing quotation"},
    {"'unclosed", {NULL}, "No closing quotation"},
    {"trailing\\", {NULL}, "No escaped character"},
    {"\"x\\", {NULL}, "No escaped character"},
    {"é ü", {"é", "ü", NULL}, NULL},
    {"a\\\nb", {"a\nb", NULL}, NULL},
};

static void splits_like_python(void **state) {
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    Arena *arena = arena_new();
    const char *error = NULL;
    size_t n = 0, want = 0;
    char **words = shlex_split(arena, CASES[i].line, &n, &error);
    if (CASES[i].error) {
      assert_null(words);
      assert_string_equal(error, CASES[i].error);
    } else {
      assert_non_null(words);
      while (CASES[i].words[want])
        want++;
      assert_int_equal(n, want);
      for (size_t k = 0; k < n; k++)
        assert_string_equal(words[k], CASES[i].words[k]);
      assert_null(words[n]);
    }
    arena_free(arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(splits_like_python)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
