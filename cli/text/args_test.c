/* The command line as people write it. */
#include "cli/text/args.h"

#include <stdlib.h>

#include "lib/base/test.h"

static const Option OPTIONS[] = {
    {"stdin", 'i', NULL, ""}, {"tty", 't', NULL, ""}, {"env", 'e', "K=V", ""}, {NULL, 0, NULL, NULL}};
static const Option *const TABLES[] = {OPTIONS, NULL};

#define PARSE(args, err, ...) \
  args_parse(TABLES, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)), (char *[]){__VA_ARGS__}, args, err)

static void mixed(void **state) {
  Args a = {0};
  Error err;
  assert_int_equal(PARSE(&a, &err, "-it", "--env=A=1", "box", "-e", "B=2", "-eC=3", "--", "ls", "-l", "--", "x"), 0);
  assert_true(args_has(&a, "stdin") && args_has(&a, "tty"));
  assert_string_equal(args_nth(&a, "env", 0), "A=1");
  assert_string_equal(args_nth(&a, "env", 2), "C=3");
  assert_null(args_nth(&a, "env", 3));
  assert_string_equal(args_value(&a, "env"), "C=3");
  assert_int_equal(a.n_names, 1);
  assert_int_equal(a.n_command, 4);
  assert_string_equal(a.command[1], "-l");
}

static void dash_is_a_name(void **state) {
  Args a = {0};
  Error err;
  assert_int_equal(PARSE(&a, &err, "-", "box:x"), 0);
  assert_int_equal(a.n_names, 2);
  assert_int_equal(a.n_command, 0);
}

static void refused(void **state) {
  Args a = {0};
  Error err;
  assert_int_equal(PARSE(&a, &err, "--nope"), -1);
  assert_int_equal(PARSE(&a, &err, "-ix"), -1);
  assert_int_equal(PARSE(&a, &err, "--env"), -1);
  assert_int_equal(PARSE(&a, &err, "-e"), -1);
  assert_int_equal(PARSE(&a, &err, "--tty=yes"), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
}

static void too_many(void **state) {
  char *many[ARGS_MAX + 1];
  Args a = {0};
  Error err;
  for (int i = 0; i <= ARGS_MAX; i++)
    many[i] = "x";
  assert_ok(args_parse(TABLES, ARGS_MAX, many, &a, &err), &err);
  a = (Args){0};
  assert_int_equal(args_parse(TABLES, ARGS_MAX + 1, many, &a, &err), -1);
}

static void before_the_command(void **state) {
  char *argv[] = {"-i", "--env", "A=1", "-eB=2", "list", "-t"};
  char *wrong[] = {"--nope", "list"};
  Args a = {0};
  Error err;
  assert_int_equal(args_leading(TABLES, 6, argv, &a, &err), 4);
  assert_true(args_has(&a, "stdin") && !args_has(&a, "tty"));
  assert_ok(args_parse(TABLES, 1, argv + 5, &a, &err), &err);
  assert_true(args_has(&a, "tty"));
  assert_string_equal(args_nth(&a, "env", 1), "B=2");
  assert_ok(args_leading(TABLES, 0, argv, &a, &err), &err);
  assert_int_equal(args_leading(TABLES, 2, wrong, &a, &err), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mixed),    cmocka_unit_test(dash_is_a_name),     cmocka_unit_test(refused),
      cmocka_unit_test(too_many), cmocka_unit_test(before_the_command),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
