/* The order of the checks on a request, which of them end the connection, and where a browser is sent. */
#include "services/router/http/admit.h"

#include "lib/base/test.h"

#define HEAD(m, t, ...)                                                                             \
  (HttpHead) {                                                                                      \
    .method = (m), .target = (t), .minor_version = 1, .headers = (const HttpHeader[]){__VA_ARGS__}, \
    .n_headers = sizeof((const HttpHeader[]){__VA_ARGS__}) / sizeof(HttpHeader)                     \
  }
#define HOST \
  { "Host", "h" }
#define ID \
  { "X-Sandbox-ID", "box-aaaaa" }
#define TOKEN \
  { "Authorization", "Bearer secret" }

static void expect(HttpHead head, const char *bearer, int status, bool close, bool judged) {
  Access *access;
  Error err;
  Target target;
  access = access_new(&(AccessSettings){.mode = "allow-all", .bearer = bearer, .grpc_open = *bearer}, &err);
  assert_non_null(access);
  const AdmitRules rules = {.access = access, .max_timeout_ms = 180000};
  Admission a = admit(&rules, &head, false, 0, &target);
  assert_int_equal(a.status, status);
  assert_int_equal(a.close, close);
  assert_int_equal(a.judged, judged);
  admission_deinit(&a);
  access_free(access);
}

static void test_passes(void **state) {
  expect(HEAD("GET", "/", HOST, ID), "", 0, false, true);
  expect(HEAD("GET", "/", HOST, ID, TOKEN), "secret", 0, false, true);
  expect(HEAD("OPTIONS", "*", HOST, ID), "", 0, false, true);
}

static void test_health_comes_first(void **state) {
  expect(HEAD("GET", "/healthz", HOST), "secret", 200, false, false);
  expect(HEAD("HEAD", "/healthz?x", HOST, {"X-Sandbox-ID", "!"}), "secret", 200, false, false);
  expect(HEAD("GET", "/healthz/", HOST), "", 400, false, false);
  expect(HEAD("GET", "/healthzz", HOST), "", 400, false, false);
}

static void test_token_comes_before_headers(void **state) {
  expect(HEAD("GET", "/", HOST), "secret", 401, false, true);
  expect(HEAD("GET", "/", HOST, TOKEN), "secret", 400, false, false);
}

static void test_what_ends_the_connection(void **state) {
  expect(HEAD("CONNECT", "h:1", HOST, ID), "", 405, true, false);
  expect(HEAD("TRACE", "/", HOST, ID), "", 405, true, false);
  expect(HEAD("GET", "x", HOST, ID), "", 400, true, false);
  expect(HEAD("GET", "/healthz", ID), "", 400, true, false);
  expect(HEAD("GET", "/", HOST, HOST, ID), "", 400, true, false);
  HttpHead old = HEAD("GET", "/", ID);
  old.minor_version = 0;
  expect(old, "", 0, false, true);
}

/* ---- By path, by host, by cookie ---- */

#define SECRET_TEXT "secret"
static const Routing BOTH = {.prefix = "/p", .domain = "box.example", .allowed_hosts = ""};
static const BrowserSession SESSION = {
    .cookie = "sb", .query_param = "token", .same_site = "lax", .allowed_origins = ""};

typedef struct Want {
  int status;
  const char *path, *prefix, *location, *set_cookie;
} Want;

static void expect_browser(HttpHead head, bool trusts, Want want) {
  Error err;
  Target target;
  Access *access = access_new(&(AccessSettings){.mode = "allow-all", .bearer = SECRET_TEXT, .grpc_open = true}, &err);
  assert_non_null(access);
  AdmitRules rules = {
      .access = access, .routing = BOTH, .session = SESSION, .trusts_proto = trusts, .max_timeout_ms = 180000};
  Admission a = admit(&rules, &head, false, 0, &target);
  assert_int_equal(a.status, want.status);
  if (!want.status) {
    assert_string_equal(buf_str(&a.path), want.path);
    assert_string_equal(buf_str(&a.prefix), want.prefix ? want.prefix : "");
    assert_string_equal(target.id, "one");
    assert_int_equal(target.port, 3000);
  }
  assert_string_equal(buf_str(&a.location), want.location ? want.location : "");
  assert_string_equal(buf_str(&a.set_cookie), want.set_cookie ? want.set_cookie : "");
  admission_deinit(&a);
  access_free(access);
}

#define PRIVATE_HOST \
  { "Host", "localhost:8080" }
#define OWN_HOST \
  { "Host", "3000-one.box.example" }
#define COOKIE \
  { "Cookie", "a=1; sb=secret" }
#define PAGE "/p/default/one/3000"

static void test_by_path_and_host(void **state) {
  expect_browser(HEAD("GET", PAGE "/a/%2F?b=c", PRIVATE_HOST, TOKEN), false, (Want){0, "/a/%2F?b=c", PAGE});
  expect_browser(HEAD("GET", "/a?b", OWN_HOST, TOKEN), false, (Want){0, "/a?b"});
  expect_browser(HEAD("GET", PAGE, PRIVATE_HOST, TOKEN), false, (Want){308, .location = PAGE "/"});
  expect_browser(HEAD("POST", PAGE "?a=b", PRIVATE_HOST, TOKEN), false, (Want){308, .location = PAGE "/?a=b"});
  HttpHead upgrade = HEAD("GET", PAGE, PRIVATE_HOST, TOKEN, {"Connection", "Upgrade"}, {"Upgrade", "websocket"});
  upgrade.upgrade = upgrade.no_body = true;
  expect_browser(upgrade, false, (Want){0, "/", PAGE});
  /* nobody without a credential is told more than that */
  expect_browser(HEAD("GET", PAGE, PRIVATE_HOST), false, (Want){401});
  expect_browser(HEAD("GET", "/p/default/one/0/", PRIVATE_HOST, TOKEN), false, (Want){400});
  expect_browser(HEAD("GET", PAGE "/", {"Host", "evil.example"}, TOKEN), false, (Want){403});
  /* on a sandbox's host it is its own */
  expect_browser(HEAD("GET", "/healthz", OWN_HOST, TOKEN), false, (Want){0, "/healthz"});
  expect_browser(HEAD("GET", "/healthz", {"Host", "evil.example"}), false, (Want){200});
}

static void test_link_becomes_cookie(void **state) {
  expect_browser(HEAD("GET", PAGE "/a?x=1&token=secret&y=2", PRIVATE_HOST), false,
                 (Want){302, .location = PAGE "/a?x=1&y=2",
                        .set_cookie = "sb=secret; Path=/p/default/one/; HttpOnly; SameSite=Lax; Secure"});
  expect_browser(HEAD("HEAD", PAGE "?token=%73ecret", PRIVATE_HOST), false,
                 (Want){302, .location = PAGE "/",
                        .set_cookie = "sb=secret; Path=/p/default/one/; HttpOnly; SameSite=Lax; Secure"});
  /* the browser stays on the host, whatever the path looks like */
  expect_browser(
      HEAD("GET", "//evil.example/?token=secret", OWN_HOST), false,
      (Want){302, .location = "/.//evil.example/", .set_cookie = "sb=secret; Path=/; HttpOnly; SameSite=Lax; Secure"});
  expect_browser(HEAD("GET", PAGE "/?token=wrong", PRIVATE_HOST), false, (Want){401});
  expect_browser(HEAD("GET", PAGE "/?token=", PRIVATE_HOST), false, (Want){401});
  expect_browser(HEAD("GET", PAGE "/?token=a&token=secret", PRIVATE_HOST, COOKIE), false, (Want){400});
  expect_browser(HEAD("GET", PAGE "/?token=a%3b", PRIVATE_HOST), false, (Want){400});
  /* no page: the credential is not taken, and not shown to the program either */
  expect_browser(HEAD("POST", PAGE "/?token=secret", PRIVATE_HOST), false, (Want){401});
  expect_browser(HEAD("POST", PAGE "/?token=secret&a", PRIVATE_HOST, TOKEN), false, (Want){0, "/?a", PAGE});
}

static void test_cookie(void **state) {
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, COOKIE), false, (Want){0, "/", PAGE});
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, {"Cookie", "sb=wrong; sb=secret"}), false, (Want){0, "/", PAGE});
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, {"Cookie", "sb=1;sb=2;sb=3;sb=4;sb=secret"}), false, (Want){401});
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, {"Cookie", "SB=secret"}), false, (Want){401});
  /* who brings a credential of his own is judged by it */
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, COOKIE, {"Authorization", "Bearer x"}), false, (Want){401});
  /* by headers it is no browser's */
  expect_browser(HEAD("GET", "/", PRIVATE_HOST, COOKIE, ID), false, (Want){401});
}

static void test_origin(void **state) {
#define POST(...) HEAD("POST", PAGE "/", PRIVATE_HOST, COOKIE, ##__VA_ARGS__)
  const Want goes = {0, "/", PAGE}, forbidden = {403};
  expect_browser(POST(), false, forbidden);
  expect_browser(POST({"Origin", "http://localhost:8080"}), false, goes);
  expect_browser(POST({"Origin", "http://localhost:8081"}), false, forbidden);
  expect_browser(POST({"Origin", "https://localhost:8080"}), false, forbidden);
  expect_browser(POST({"Origin", "null"}), false, forbidden);
  expect_browser(POST({"Origin", "http://localhost:8080"}, {"Origin", "http://evil.example"}), false, forbidden);
  expect_browser(POST({"Origin", "https://localhost:8080"}, {"X-Forwarded-Proto", "https"}), true, goes);
  expect_browser(POST({"Origin", "https://localhost:8080"}, {"X-Forwarded-Proto", "https"}), false, forbidden);
  expect_browser(POST(TOKEN), false, goes);
  expect_browser(HEAD("GET", PAGE "/", PRIVATE_HOST, COOKIE, {"Origin", "http://evil.example"}), false, goes);
  HttpHead upgrade = HEAD("GET", PAGE "/", PRIVATE_HOST, COOKIE, {"Connection", "Upgrade"}, {"Upgrade", "websocket"},
                          {"Origin", "http://evil.example"});
  upgrade.upgrade = upgrade.no_body = true;
  expect_browser(upgrade, false, forbidden);
  upgrade.n_headers--;
  expect_browser(upgrade, false, forbidden);
}

static void test_proto(void **state) {
  static const struct {
    bool trusts, tls;
    const char *said, *proto;
  } CASES[] = {{false, false, "https", "http"}, {true, false, "HTTPS", "https"}, {true, false, "http", "http"},
               {true, false, "ftp", "http"},    {false, true, "http", "https"},  {true, true, "http", "https"}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Error err;
    Target target;
    Access *open = access_new(&(AccessSettings){.mode = "allow-all"}, &err);
    assert_non_null(open);
    const AdmitRules rules = {.access = open, .trusts_proto = CASES[i].trusts, .max_timeout_ms = 180000};
    HttpHead head = HEAD("GET", "/", HOST, ID, {"X-Forwarded-Proto", CASES[i].said});
    Admission a = admit(&rules, &head, CASES[i].tls, 0, &target);
    assert_int_equal(a.status, 0);
    assert_string_equal(a.proto, CASES[i].proto);
    admission_deinit(&a);
    access_free(open);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_passes),
      cmocka_unit_test(test_health_comes_first),
      cmocka_unit_test(test_token_comes_before_headers),
      cmocka_unit_test(test_what_ends_the_connection),
      cmocka_unit_test(test_by_path_and_host),
      cmocka_unit_test(test_link_becomes_cookie),
      cmocka_unit_test(test_cookie),
      cmocka_unit_test(test_origin),
      cmocka_unit_test(test_proto),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
