/* Settings: flag before environment before default; every bad value is one line that names where it came
 * from. */
#include "lib/base/config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

typedef struct Settings {
  const char *name, *address, *token;
  int64_t count, any, wait_ms;
  double rate, share;
  bool fast;
} Settings;

static const ConfigItem ITEMS[] = {
    {"name", "TEST_NAME", CONFIG_STRING, offsetof(Settings, name), "nobody", 0, 0, false, "who"},
    {"address", "TEST_ADDRESS", CONFIG_ADDRESS, offsetof(Settings, address), ":80", 0, 0, false, "where"},
    {"token", "TEST_TOKEN", CONFIG_STRING, offsetof(Settings, token), "", 0, 0, true, "a secret"},
    {"count", "TEST_COUNT", CONFIG_INT, offsetof(Settings, count), "5", -3, 10, false, "how many"},
    {"any", NULL, CONFIG_INT, offsetof(Settings, any), "0", 0, 0, false, "any number"},
    {"wait", "TEST_WAIT", CONFIG_DURATION, offsetof(Settings, wait_ms), "1.5s", 100, 60000, false, "how long"},
    {"rate", NULL, CONFIG_REAL, offsetof(Settings, rate), "-1", -1, 100, false, "how fast"},
    {"share", NULL, CONFIG_REAL, offsetof(Settings, share), "0.5", 0, 0, false, "how much of it"},
    {"fast", "TEST_FAST", CONFIG_BOOL, offsetof(Settings, fast), "false", 0, 0, false, "no waiting"},
};
static const ConfigAlias ALIASES[] = {{"who", "name"}, {"bind-address", "address"}};
static const ConfigTable TABLE = {
    "test", "A program.", ITEMS, ARRAY_LEN(ITEMS), ALIASES, ARRAY_LEN(ALIASES),
};

/* The arguments end with NULL. */
static int parse(Settings *s, Error *err, const char *const *args) {
  char *argv[16] = {"test"};
  int argc = 1;
  for (; args && args[argc - 1]; argc++)
    argv[argc] = (char *)args[argc - 1];
  *s = (Settings){0};
  return config_parse(&TABLE, argc, argv, s, err);
}

#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int clear_env(void **state) {
  for (size_t i = 0; i < ARRAY_LEN(ITEMS); i++)
    if (ITEMS[i].env)
      unsetenv(ITEMS[i].env);
  return 0;
}

static void defaults(void **state) {
  Settings s;
  Error err;
  assert_int_equal(parse(&s, &err, NULL), 0);
  assert_string_equal(s.name, "nobody");
  assert_string_equal(s.address, ":80");
  assert_string_equal(s.token, "");
  assert_int_equal(s.count, 5);
  assert_int_equal(s.wait_ms, 1500);
  assert_false(s.fast);
}

static void precedence(void **state) {
  Settings s;
  Error err;
  setenv("TEST_NAME", "env", 1);
  setenv("TEST_FAST", "yes", 1);
  assert_int_equal(parse(&s, &err, ARGS("--count", "-3", "--wait=250ms")), 0);
  assert_string_equal(s.name, "env");
  assert_true(s.fast);
  assert_int_equal(s.count, -3);
  assert_int_equal(s.wait_ms, 250);
  assert_int_equal(parse(&s, &err, ARGS("--name=flag", "--fast=off", "--name=", "--name", "--last")), 0);
  assert_string_equal(s.name, "--last");
  assert_false(s.fast);
  assert_int_equal(parse(&s, &err, ARGS("--fast", "--count=1")), 0);
  assert_true(s.fast);
  assert_int_equal(s.count, 1);
}

/* As programs in Go are started. */
static void one_dash(void **state) {
  Settings s;
  Error err;
  assert_int_equal(parse(&s, &err, ARGS("-name=go", "-count", "7", "-fast=T", "-rate=-1.000000", "--share", "2.5")), 0);
  assert_string_equal(s.name, "go");
  assert_int_equal(s.count, 7);
  assert_true(s.fast);
  assert_true(s.rate == -1 && s.share == 2.5);
  assert_int_equal(parse(&s, &err, ARGS("-fast", "-name", "-count")), 0);
  assert_true(s.fast);
  assert_string_equal(s.name, "-count");
}

static void bad_flags(void **state) {
  static const struct {
    const char *args[3], *field, *message;
  } ROWS[] = {
      {{"--nmae=x"}, "nmae=x", "unknown flag '--nmae=x'; see --help"},
      {{"--"}, "", "unknown flag '--'; see --help"},
      {{"--name"}, "name", "--name needs a value"},
      {{"-nmae=x"}, "nmae=x", "unknown flag '-nmae=x'; see --help"},
      {{"-"}, "", "unknown flag '-'; see --help"},
      {{"--rate=fast"}, "rate", "--rate: 'fast' is not a number"},
      {{"--rate=nan"}, "rate", "--rate: 'nan' is not a number"},
      {{"--rate=inf"}, "rate", "--rate: 'inf' is not a number"},
      {{"--rate="}, "rate", "--rate: '' is not a number"},
      {{"--rate=100.5"}, "rate", "--rate: '100.5' is not in the range -1 to 100"},
      {{"--share=-0.5"}, "share", "--share: '-0.5' is negative"},
      {{"x"}, "x", "unexpected argument 'x'; see --help"},
      {{"--fast", "true"}, "true", "unexpected argument 'true'; see --help"},
      {{"--fast=maybe"}, "fast", "--fast: 'maybe' is not true or false"},
      {{"--count=x"}, "count", "--count: 'x' is not a whole number"},
      {{"--count="}, "count", "--count: '' is not a whole number"},
      {{"--count=11"}, "count", "--count: '11' is not in the range -3 to 10"},
      {{"--count", "-4"}, "count", "--count: '-4' is not in the range -3 to 10"},
      {{"--any=-1"}, "any", "--any: '-1' is negative"},
      {{"--wait=soon"}, "wait", "--wait: 'soon' is not a duration (for example 500ms, 10s, 5m)"},
      {{"--wait=99ms"}, "wait", "--wait: '99ms' is not in the range 100 to 60000 ms"},
      {{"--address=x"}, "address", "--address: 'x' is not an address (host:port or unix:/path)"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Settings s;
    Error err;
    assert_int_equal(parse(&s, &err, ROWS[i].args), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.message, ROWS[i].message);
    assert_string_equal(err.field, ROWS[i].field);
  }
}

static void aliases(void **state) {
  Settings s;
  Error err;
  assert_int_equal(parse(&s, &err, ARGS("--who=a", "-bind-address", ":7")), 0);
  assert_string_equal(s.name, "a");
  assert_string_equal(s.address, ":7");
  /* one setting, so the last one counts */
  assert_int_equal(parse(&s, &err, ARGS("--who=a", "--name=b")), 0);
  assert_string_equal(s.name, "b");
  assert_int_equal(parse(&s, &err, ARGS("--name=b", "--who=a")), 0);
  assert_string_equal(s.name, "a");
  assert_int_equal(parse(&s, &err, ARGS("--bind-address=x")), -1);
  assert_string_equal(err.message, "--bind-address: 'x' is not an address (host:port or unix:/path)");
  assert_string_equal(err.field, "address");
  assert_int_equal(parse(&s, &err, ARGS("--whoever=a")), -1);
  CLEANUP(str_freep) char *help = config_help(&TABLE);
  assert_contains(help, "who (default nobody) [TEST_NAME] (also --who)\n");
}

static int parse_file(Settings *s, Error *err, const char *const *args, size_t n, const ConfigValue *values) {
  char *argv[16] = {"test"};
  int argc = 1;
  for (; args && args[argc - 1]; argc++)
    argv[argc] = (char *)args[argc - 1];
  *s = (Settings){0};
  return config_parse_file(&TABLE, "a.yaml", values, n, argc, argv, s, err);
}

static void a_file_is_below_all_but_the_defaults(void **state) {
  static const ConfigValue VALUES[] = {{"who", "file"}, {"count", "1"}, {"wait", "2s"}, {"fast", "true"}};
  Settings s;
  Error err;
  setenv("TEST_COUNT", "2", 1);
  setenv("TEST_WAIT", "3s", 1);
  assert_ok(parse_file(&s, &err, ARGS("--wait=4s"), ARRAY_LEN(VALUES), VALUES), &err);
  assert_string_equal(s.name, "file");
  assert_int_equal(s.count, 2);
  assert_int_equal(s.wait_ms, 4000);
  assert_true(s.fast);
  assert_string_equal(s.address, ":80");
}

static void what_is_wrong_in_a_file(void **state) {
  static const struct {
    ConfigValue values[2];
    const char *field, *message;
  } ROWS[] = {
      {{{"name", "x"}, {"nmae", "x"}}, "nmae", "a.yaml: nmae: unknown setting; see --help"},
      {{{"name", "x"}, {"--count", "1"}}, "--count", "a.yaml: --count: unknown setting; see --help"},
      {{{"name", "x"}, {"who", "x"}}, "who", "a.yaml: who: means the same as name"},
      {{{"name", "x"}, {"count", "11"}}, "count", "a.yaml: count: '11' is not in the range -3 to 10"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Settings s;
    Error err;
    /* also when a flag would override it */
    assert_int_equal(parse_file(&s, &err, ARGS("--count=1", "--name=y"), 2, ROWS[i].values), -1);
    assert_string_equal(err.message, ROWS[i].message);
    assert_string_equal(err.field, ROWS[i].field);
  }
}

static void bad_environment(void **state) {
  Settings s;
  Error err;
  setenv("TEST_COUNT", "many", 1);
  /* also when a flag would override it: a typo there must not wait for the day the flag goes */
  assert_int_equal(parse(&s, &err, ARGS("--count=1")), -1);
  assert_string_equal(err.message, "TEST_COUNT: 'many' is not a whole number");
  assert_string_equal(err.field, "count");
}

static void addresses(void **state) {
  static const struct {
    const char *s;
    bool ok;
  } ROWS[] = {
      {"", true},        {":0", true},      {":65535", true},  {"host:1", true},   {"127.0.0.1:1", true},
      {"[::1]:1", true}, {"unix:/x", true}, {":65536", false}, {":-1", false},     {"host", false},
      {"host:", false},  {"host:x", false}, {"::1:80", false}, {"[::1:80", false}, {"unix:x", false},
      {"unix:", false},  {"1:2:3", false},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Settings s;
    Error err;
    if ((parse(&s, &err, ARGS("--address", ROWS[i].s)) == 0) != ROWS[i].ok)
      fail_msg("%s", ROWS[i].s);
  }
}

static void help_and_version(void **state) {
  Settings s;
  Error err;
  /* whoever asks for help gets it, whatever else is wrong */
  assert_int_equal(parse(&s, &err, ARGS("--unknown", "--help")), CONFIG_HELP);
  assert_int_equal(parse(&s, &err, ARGS("-h")), CONFIG_HELP);
  assert_int_equal(parse(&s, &err, ARGS("--version")), CONFIG_VERSION);
  CLEANUP(str_freep) char *help = config_help(&TABLE);
  for (size_t i = 0; i < ARRAY_LEN(ITEMS); i++) {
    CLEANUP(str_freep) char *flag = str_printf("  --%s ", ITEMS[i].flag);
    assert_contains(help, flag);
    assert_contains(help, ITEMS[i].help);
  }
  assert_contains(help, "usage: test [flags]\n\nA program.\n");
  assert_contains(help, "how many (default 5) [TEST_COUNT]\n");
}

static void dump(void **state) {
  Settings s;
  Error err;
  assert_int_equal(parse(&s, &err, ARGS("--token=hunter2", "--name", "a\"b\\c\n")), 0);
  CLEANUP(str_freep) char *json = config_dump_json(&TABLE, &s);
  assert_string_equal(json, "{\"name\":\"a\\\"b\\\\c\\u000a\",\"address\":\":80\",\"count\":5,\"any\":0,"
                            "\"wait\":\"1500ms\",\"rate\":-1,\"share\":0.5,\"fast\":false}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(defaults, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(precedence, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(one_dash, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(bad_flags, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(aliases, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(a_file_is_below_all_but_the_defaults, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(what_is_wrong_in_a_file, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(bad_environment, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(addresses, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(help_and_version, clear_env, clear_env),
      cmocka_unit_test_setup_teardown(dump, clear_env, clear_env),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
