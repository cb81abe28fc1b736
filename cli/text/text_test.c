/* KEY=VALUE and durations as they are given to options. */
#include "cli/text/text.h"

#include <string.h>

#include "lib/base/test.h"

static const Option OPTIONS[] = {{"label", 'l', "KEY=VALUE", ""}, {"ttl", 0, "DURATION", ""}, {NULL, 0, NULL, NULL}};
static const Option *const TABLES[] = {OPTIONS, NULL};

static int setup(void **state) {
  static Cli cli;
  cli.arena = arena_new();
  *state = &cli;
  return 0;
}

static int teardown(void **state) {
  arena_free(((Cli *)*state)->arena);
  return 0;
}

static Args parsed(int argc, char **argv) {
  Args args = {0};
  Error err;
  assert_ok(args_parse(TABLES, argc, argv, &args, &err), &err);
  return args;
}

static void pairs(void **state) {
  Args args = parsed(6, (char *[]){"-l", "team=a", "--label=empty=", "-l", "x=y=z", "-lwith=a b"});
  static const char *const EXPECTED[][2] = {{"team", "a"}, {"empty", ""}, {"x", "y=z"}, {"with", "a b"}};
  char *key, *value;
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(EXPECTED); i++) {
    assert_int_equal(text_pair(*state, &args, "label", i, &key, &value, &err), 1);
    assert_string_equal(key, EXPECTED[i][0]);
    assert_string_equal(value, EXPECTED[i][1]);
  }
  assert_ok(text_pair(*state, &args, "label", ARRAY_LEN(EXPECTED), &key, &value, &err), &err);
}

static void wrong_pairs(void **state) {
  Args args = parsed(3, (char *[]){"-lplain", "-l=value", "-l="});
  char *key, *value;
  for (size_t i = 0; i < 3; i++) {
    Error err = {0};
    assert_int_equal(text_pair(*state, &args, "label", i, &key, &value, &err), -1);
    assert_contains(err.message, "--label");
  }
}

static void durations(void **state) {
  Error err = {0};
  Args args = parsed(1, (char *[]){"--ttl=1.5s"});
  Google__Protobuf__Duration *d = text_duration(*state, &args, "ttl", &err);
  assert_non_null(d);
  assert_int_equal(d->seconds, 1);
  assert_int_equal(d->nanos, 500000000);
  args = parsed(1, (char *[]){"--ttl=0s"});
  d = text_duration(*state, &args, "ttl", &err);
  assert_non_null(d);
  assert_int_equal(d->seconds, 0);
  args = parsed(0, NULL);
  assert_null(text_duration(*state, &args, "ttl", &err));
  assert_int_equal(err.kind, ERROR_NONE);
}

static void wrong_durations(void **state) {
  static char *const WRONG[] = {"--ttl=", "--ttl=x", "--ttl=-1s", "--ttl=1y", "--ttl=99999999999999999999h"};
  for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
    Error err = {0};
    Args args = parsed(1, (char *[]){WRONG[i]});
    assert_null(text_duration(*state, &args, "ttl", &err));
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_contains(err.message, "--ttl");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(pairs),
      TEST(wrong_pairs),
      TEST(durations),
      TEST(wrong_durations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
