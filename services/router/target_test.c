/* The routing headers: order, words and defaults. */
#include "services/router/target.h"

#include "lib/base/test.h"

#define MAX_MS 180000
#define HEAD(...)                                                               \
  (HttpHead) {                                                                  \
    .headers = (const HttpHeader[]){__VA_ARGS__},                               \
    .n_headers = sizeof((const HttpHeader[]){__VA_ARGS__}) / sizeof(HttpHeader) \
  }
#define ID \
  { "X-Sandbox-ID", "box-aaaaa" }

static void refuse(HttpHead head, const char *detail) {
  Target t;
  const char *got = target_parse(&head, &(Routed){0}, MAX_MS, &t);
  assert_non_null(got);
  assert_string_equal(got, detail);
}

static Target accept(HttpHead head) {
  Target t;
  assert_null(target_parse(&head, &(Routed){0}, MAX_MS, &t));
  return t;
}

static void test_defaults(void **state) {
  Target t = accept(HEAD({"x-sandbox-id", "box-aaaaa"}));
  assert_string_equal(t.id, "box-aaaaa");
  assert_string_equal(t.ns, "default");
  assert_int_equal(t.port, 8888);
  assert_int_equal(t.timeout_ms, MAX_MS);
  assert_false(t.names_address);
  t = accept(HEAD(ID, {"X-Sandbox-Namespace", ""}, {"X-Sandbox-Port", ""}, {"X-Sandbox-Pod-IP", ""}));
  assert_string_equal(t.ns, "default");
  assert_int_equal(t.port, 8888);
}

static void test_values(void **state) {
  Target t = accept(HEAD(ID, {"X-Sandbox-Namespace", "team-1"}, {"X-Sandbox-Port", "65535"},
                         {"X-Sandbox-Pod-IP", "10.1.2.3"}, {"X-Sandbox-Timeout", "2.5"}));
  assert_string_equal(t.ns, "team-1");
  assert_int_equal(t.port, 65535);
  assert_int_equal(t.timeout_ms, 2500);
  assert_true(t.names_address);
  assert_true(accept(HEAD(ID, {"X-Sandbox-UID", "u"})).names_address);
}

static void test_ids(void **state) {
  refuse(HEAD({"Host", "x"}), "X-Sandbox-ID header is required.");
  refuse(HEAD({"X-Sandbox-ID", ""}), "X-Sandbox-ID header is required.");
#define LABEL_64 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"
#define LABEL_62 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgg"
#define NAME_253 LABEL_62 "." LABEL_62 "." LABEL_62 "." LABEL_62 ".y"
  static const char *const BAD[] = {"A",    "a_b", "-a",     "a-",  "a..b", "a/b",
                                    "../a", "a b", "a.b-.c", "a.B", ".a",   NAME_253 "z"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    refuse(HEAD({"X-Sandbox-ID", BAD[i]}), "Invalid sandbox ID format.");
  /* whatever a Sandbox object may be called */
  static const char *const GOOD[] = {"a.b", "a-1.b-2", LABEL_64, NAME_253};
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_string_equal(accept(HEAD({"X-Sandbox-ID", GOOD[i]})).id, GOOD[i]);
  refuse(HEAD(ID, {"X-Sandbox-ID", "other-aaaaa"}), "Invalid sandbox ID format.");
}

static void test_order(void **state) {
  refuse(HEAD({"X-Sandbox-Namespace", "!"}, {"X-Sandbox-Port", "!"}), "X-Sandbox-ID header is required.");
  refuse(HEAD({"X-Sandbox-ID", "!"}, {"X-Sandbox-Namespace", "!"}), "Invalid sandbox ID format.");
  refuse(HEAD(ID, {"X-Sandbox-Namespace", "!"}, {"X-Sandbox-Port", "!"}), "Invalid namespace format.");
  refuse(HEAD(ID, {"X-Sandbox-Port", "!"}, {"X-Sandbox-Pod-IP", "!"}), "Invalid port format.");
  refuse(HEAD(ID, {"X-Sandbox-Pod-IP", "!"}), "Invalid target IP address.");
}

static void test_ports(void **state) {
  static const char *const BAD[] = {"0", "65536", "-1", "+1", "http", "80a", "8 0", "0x50", "99999999999999999999"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    refuse(HEAD(ID, {"X-Sandbox-Port", BAD[i]}), "Invalid port format.");
  refuse(HEAD(ID, {"X-Sandbox-Port", "80"}, {"X-Sandbox-Port", "81"}), "Invalid port format.");
}

static void test_addresses(void **state) {
  static const char *const BAD[] = {"localhost",        "127.0.0.1", "127.9.9.9", "0.0.0.0",   "169.254.169.254",
                                    "224.0.0.1",        "::1",       "::",        "fe80::1",   "ff02::1",
                                    "::ffff:127.0.0.1", "[::1]",     "1.2.3",     "1.2.3.4:80"};
  static const char *const GOOD[] = {"10.0.0.1", "192.168.1.1", "fd00::1", "[fd00::1]", "::ffff:10.0.0.1"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    refuse(HEAD(ID, {"X-Sandbox-Pod-IP", BAD[i]}), "Invalid target IP address.");
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_true(accept(HEAD(ID, {"X-Sandbox-Pod-IP", GOOD[i]})).names_address);
}

/* As of the state, where an address has no other spelling. */
static void test_addresses_of_pods(void **state) {
  static const char *const GOOD[] = {"10.128.0.7", "192.168.1.1", "fd00::7"};
  static const char *const BAD[] = {"127.0.0.1", "169.254.169.254",  "0.0.0.0", "224.0.0.1", "::1",
                                    "fe80::1",   "::ffff:127.0.0.1", "",        "localhost", "10.0.0.1:80"};
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_true(target_is_routable(GOOD[i]));
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_false(target_is_routable(BAD[i]));
}

static void test_timeouts(void **state) {
  static const struct {
    const char *text;
    int64_t ms;
  } CASES[] = {{"1", 1000},      {"0.0001", 1},   {"1e2", 100000},  {"0", MAX_MS},  {"-1", MAX_MS},
               {"nan", MAX_MS},  {"inf", MAX_MS}, {"x", MAX_MS},    {"5s", MAX_MS}, {"181", MAX_MS},
               {"1e99", MAX_MS}, {"", MAX_MS},    {"179.5", 179500}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
    assert_int_equal(accept(HEAD(ID, {"X-Sandbox-Timeout", CASES[i].text})).timeout_ms, CASES[i].ms);
}

/* The path or the host has said it; the rest is asked of the headers all the same. */
static void test_routed(void **state) {
  Target t;
  HttpHead head = HEAD({"X-Sandbox-ID", "!"}, {"X-Sandbox-Timeout", "2"}, {"X-Sandbox-UID", "u"});
  Routed routed = {
      .way = ROUTING_BY_PATH, .name = {"team", "box", 80}, .authority = "router.example:8080/", .authority_len = 19};
  assert_null(target_parse(&head, &routed, MAX_MS, &t));
  assert_string_equal(t.ns, "team");
  assert_string_equal(t.id, "box");
  assert_int_equal(t.port, 80);
  assert_int_equal(t.timeout_ms, 2000);
  assert_true(t.names_address);
  assert_string_equal(t.authority, "router.example:8080");
  head = HEAD({"X-Sandbox-Pod-IP", "127.0.0.1"});
  assert_string_equal(target_parse(&head, &routed, MAX_MS, &t), "Invalid target IP address.");
  assert_string_equal(t.id, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_values),
      cmocka_unit_test(test_ids),
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_ports),
      cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_addresses_of_pods),
      cmocka_unit_test(test_timeouts),
      cmocka_unit_test(test_routed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
