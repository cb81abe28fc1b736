/* A path goes before a host, a host before headers, and two sandboxes are one too many. */
#include "services/router/route/routing.h"

#include "lib/base/test.h"

#define TWO "The request names two different sandboxes."
#define HEAD(t, ...)                                                                                  \
  (HttpHead) {                                                                                        \
    .method = "GET", .target = (t), .minor_version = 1, .headers = (const HttpHeader[]){__VA_ARGS__}, \
    .n_headers = sizeof((const HttpHeader[]){__VA_ARGS__}) / sizeof(HttpHeader)                       \
  }
#define PAGE "/p/team/one/3000/a"
#define BY_HOST "3000-one--team.box.example"

static Routing rules_of(RoutingFlags flags) {
  Routing r;
  Error err;
  assert_ok(routing_init(&r, &flags, &err), &err);
  return r;
}

static Routing rules(const char *prefix, const char *domain, const char *hosts, const char *address) {
  return rules_of((RoutingFlags){prefix, domain, hosts, true, address, ""});
}

static Routed parse(HttpHead head, const char *path, const char *want_detail) {
  Routing r = rules("/p", "box.example", "", "127.0.0.1:0");
  Routed routed;
  const char *detail = routing_parse(&r, &head, path, &routed);
  assert_string_equal(detail ? detail : "", want_detail);
  return routed;
}

static void test_precedence(void **state) {
  Routed r = parse(HEAD(PAGE, {"Host", "localhost"}), PAGE, "");
  assert_int_equal(r.way, ROUTING_BY_PATH);
  assert_string_equal(r.path, "/a");
  assert_string_equal(r.name.id, "one");
  r = parse(HEAD(PAGE, {"Host", BY_HOST}), PAGE, "");
  assert_int_equal(r.way, ROUTING_BY_PATH);
  r = parse(HEAD("/a", {"Host", BY_HOST}), "/a", "");
  assert_int_equal(r.way, ROUTING_BY_HOST);
  assert_string_equal(r.path, "/a");
  assert_string_equal(r.name.ns, "team");
  r = parse(HEAD("/a", {"Host", "localhost"}, {"X-Sandbox-ID", "two"}), "/a", "");
  assert_int_equal(r.way, ROUTING_BY_HEADERS);
  assert_string_equal(r.path, "/a");
}

static void test_two_sandboxes(void **state) {
  parse(HEAD(PAGE, {"Host", "3000-two--team.box.example"}), PAGE, TWO);
  parse(HEAD(PAGE, {"Host", "3000-one.box.example"}), PAGE, TWO);
  parse(HEAD(PAGE, {"Host", "80-one--team.box.example"}), PAGE, TWO);
  parse(HEAD(PAGE, {"Host", "localhost"}, {"X-Sandbox-ID", "two"}), PAGE, TWO);
  parse(HEAD(PAGE, {"Host", "localhost"}, {"X-Sandbox-ID", "one"}, {"x-sandbox-id", "two"}), PAGE, TWO);
  parse(HEAD(PAGE, {"Host", "localhost"}, {"X-Sandbox-Namespace", "default"}), PAGE, TWO);
  parse(HEAD("/", {"Host", BY_HOST}, {"X-Sandbox-Port", "8888"}), "/", TWO);
  /* the same once more is no other one, and what is malformed is not passed over */
  parse(HEAD(PAGE, {"Host", BY_HOST}, {"X-Sandbox-ID", "one"}, {"X-Sandbox-Namespace", "team"},
             {"X-Sandbox-Port", "3000"}),
        PAGE, "");
  parse(HEAD("/p/team/one", {"Host", BY_HOST}, {"X-Sandbox-ID", "one"}), "/p/team/one", "Invalid port format.");
  parse(HEAD(PAGE, {"Host", "0-one.box.example"}), PAGE, "Invalid port format.");
}

static void test_authority(void **state) {
  Routed r = parse(HEAD("http://" BY_HOST "/a", {"Host", BY_HOST}), "/a", "");
  assert_int_equal(r.way, ROUTING_BY_HOST);
  assert_int_equal(r.authority_len, sizeof BY_HOST - 1);
  parse(HEAD("http://" BY_HOST "/a", {"Host", "localhost"}), "/a", "Host does not match the request target.");
  parse(HEAD("http://localhost@" BY_HOST "/", {"Host", BY_HOST}), "/", "Host does not match the request target.");
  r = parse(HEAD("http://" BY_HOST "?q", {"X-None", ""}), "?q", "");
  assert_int_equal(r.way, ROUTING_BY_HOST);
  r = parse(HEAD("/a", {"Host", "3000-ONE--team.Box.Example:8080"}), "/a", "");
  assert_int_equal(r.way, ROUTING_BY_HOST);
  assert_string_equal(r.name.id, "one");
}

static bool serves(const Routing *r, const char *host) {
  HttpHead head = HEAD("/", {"Host", host});
  Routed routed;
  (void)!routing_parse(r, &head, "/", &routed);
  return routed.is_allowed;
}

static void test_allowed_hosts(void **state) {
  static const char *const LOOPBACK[] = {"127.0.0.1:8080", "[::1]:8080", "localhost:8080", "127.9.9.9:1"};
  static const char *const OPEN[] = {"0.0.0.0:8080", ":8080", "[::]:8080", "10.0.0.1:8080", "unix:/run/router"};
  for (size_t i = 0; i < ARRAY_LEN(LOOPBACK); i++) {
    Routing r = rules("", "", "", LOOPBACK[i]);
    assert_true(serves(&r, "localhost:8080") && serves(&r, "127.0.0.1") && serves(&r, "front:1") && serves(&r, ""));
    assert_false(serves(&r, "evil.example"));
    assert_false(serves(&r, "b\xc3\xbc"
                            "cher.example"));
  }
  for (size_t i = 0; i < ARRAY_LEN(OPEN); i++) {
    Routing r = rules("", "", "", OPEN[i]);
    assert_true(serves(&r, "any.example") && serves(&r, "what is this"));
    r = rules("", "", "mine.example", OPEN[i]);
    assert_true(serves(&r, "mine.example:80") && serves(&r, "10.0.0.1") && serves(&r, "router.ns.svc"));
    assert_false(serves(&r, "any.example"));
  }
  Routing r = rules("", "box.example", "", "127.0.0.1:8080");
  assert_true(serves(&r, "3000-one.box.example") && serves(&r, "box.example") && serves(&r, "api.box.example"));
  assert_false(serves(&r, "notbox.example"));
  r = rules_of((RoutingFlags){"", "", "", true, "127.0.0.1:8080", "0.0.0.0:8443"});
  assert_true(serves(&r, "any.example"));
  r = rules_of((RoutingFlags){"", "", "", true, "", "127.0.0.1:8443"});
  assert_false(serves(&r, "evil.example"));
  r = rules("", "", "*", "127.0.0.1:8080");
  assert_true(serves(&r, "evil.example"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_precedence),
      cmocka_unit_test(test_two_sandboxes),
      cmocka_unit_test(test_authority),
      cmocka_unit_test(test_allowed_hosts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
