/* The settings that fit together, the parameter of a link, and the cookie; admit_test.c has who is let in by them. */
#include "services/router/route/browser_session.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

#define SESSION(...) \
  (BrowserSession) { \
    __VA_ARGS__      \
  }
static const Routing BY_PATH = {.prefix = "/p"}, BY_HOST = {.domain = "d.example"},
                     BY_HEADERS = {.prefix = "", .domain = ""};

static void accept(BrowserSession session, Routing routing) {
  Error err;
  assert_ok(browser_session_check(&session, &routing, false, &err), &err);
}

static void refuse(BrowserSession session, Routing routing, bool lets_all, const char *flag) {
  Error err;
  assert_int_equal(browser_session_check(&session, &routing, lets_all, &err), -1);
  assert_ptr_equal(strstr(err.message, flag), err.message);
  assert_null(strchr(err.message, '\n'));
}

static void test_settings(void **state) {
  accept(SESSION(.cookie = ""), BY_HEADERS);
  accept(SESSION(.cookie = "sb", .query_param = "token_1-x", .allowed_origins = "https://a.example,http://[::1]:3000"),
         BY_PATH);
  accept(SESSION(.cookie = "__Host-sb", .same_site = "none"), BY_HOST);
  accept(SESSION(.cookie = "__Secure-sb", .same_site = "strict"), BY_PATH);
  refuse(SESSION(.cookie = "sb"), BY_HEADERS, false, "--authz-cookie-name: needs --path");
  refuse(SESSION(.cookie = "sb"), BY_PATH, true, "--authz-cookie-name: needs an --authz-mode");
  refuse(SESSION(.cookie = "s b"), BY_PATH, false, "--authz-cookie-name");
  refuse(SESSION(.cookie = "__Host-sb"), BY_PATH, false, "--authz-cookie-name");
  refuse(SESSION(.cookie = "__host-sb", .insecure = true), BY_HOST, false, "--authz-cookie-insecure");
  refuse(SESSION(.cookie = "__Secure-sb", .insecure = true), BY_PATH, false, "--authz-cookie-insecure");
  refuse(SESSION(.cookie = "sb", .same_site = "Lax"), BY_PATH, false, "--authz-cookie-samesite");
  refuse(SESSION(.cookie = "", .same_site = "some"), BY_HEADERS, false, "--authz-cookie-samesite");
  refuse(SESSION(.cookie = "sb", .same_site = "none", .insecure = true), BY_PATH, false, "--authz-cookie-samesite");
  refuse(SESSION(.cookie = "sb", .query_param = "a b"), BY_PATH, false, "--authz-cookie-query-param");
  refuse(SESSION(.cookie = "", .query_param = "token"), BY_PATH, false, "--authz-cookie-query-param");
  refuse(SESSION(.cookie = "", .insecure = true), BY_PATH, false, "--authz-cookie-query-param");
  static const char *const BAD[] = {"a.example", "https://", "://a", "https://a/", "https://a.example/x", "*", "null"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    refuse(SESSION(.cookie = "sb", .allowed_origins = BAD[i]), BY_PATH, false, "--authz-cookie-allowed-origins");
}

static void test_query(void **state) {
  static const struct {
    const char *path, *rest, *credential;
    size_t n;
  } CASES[] = {
      {"/a", "/a", "", 0},
      {"/a?", "/a?", "", 0},
      {"/a?token=x", "/a", "x", 1},
      {"/a?b&token=x%2E+%zz%4&c=%41", "/a?b&c=%41", "x.+%zz%4", 1},
      {"/a?token&b", "/a?b", "", 1},
      {"/a?tokens=x&Token=y&=token", "/a?tokens=x&Token=y&=token", "", 0},
      {"/a?token=x&token=y&&", "/a?&", "x", 2},
      {"?token=x", "", "x", 1},
      {"/a/token=x", "/a/token=x", "", 0},
  };
  BrowserSession session = SESSION(.cookie = "sb", .query_param = "token");
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Buf path = {0}, credential = {0};
    assert_int_equal(browser_session_take_query(&session, CASES[i].path, &path, &credential), CASES[i].n);
    assert_string_equal(buf_str(&path), CASES[i].rest);
    assert_string_equal(buf_str(&credential), CASES[i].credential);
    buf_deinit(&path);
    buf_deinit(&credential);
  }
  session.query_param = "";
  Buf path = {0}, credential = {0};
  assert_int_equal(browser_session_take_query(&session, "/a?=x&y", &path, &credential), 0);
  assert_string_equal(buf_str(&path), "/a?=x&y");
  buf_deinit(&path);
  buf_deinit(&credential);
}

static void expect_cookie(BrowserSession session, Routing routing, RoutingWay way, const char *want) {
  Buf out = {0};
  Target target = {.ns = "n", .id = "b", .port = 80, .way = way};
  browser_session_cookie(&session, &routing, &target, "v1.x.y", &out);
  assert_string_equal(buf_str(&out), want);
  buf_deinit(&out);
}

static void test_cookies(void **state) {
  expect_cookie(SESSION(.cookie = "sb"), BY_PATH, ROUTING_BY_PATH,
                "sb=v1.x.y; Path=/p/n/b/; HttpOnly; SameSite=Lax; Secure");
  expect_cookie(SESSION(.cookie = "__Host-sb", .same_site = "none"), BY_HOST, ROUTING_BY_HOST,
                "__Host-sb=v1.x.y; Path=/; HttpOnly; SameSite=None; Secure");
  expect_cookie(SESSION(.cookie = "sb", .same_site = "strict", .insecure = true), BY_HOST, ROUTING_BY_HOST,
                "sb=v1.x.y; Path=/; HttpOnly; SameSite=Strict");
}

static void test_named_origins(void **state) {
  BrowserSession session = SESSION(.cookie = "sb", .allowed_origins = "https://a.example, https://B.example:8443");
  static const struct {
    const char *origin;
    bool allowed;
  } CASES[] = {{"https://a.example", true},   {"https://b.example:8443", true},
               {"http://a.example", false},   {"https://a.example:443", false},
               {"https://xa.example", false}, {"https://a.example.evil", false},
               {"https://a.example/", false}, {"", false}};
  Routed routed = {.authority = "", .authority_len = 0};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    HttpHeader origin = {"Origin", CASES[i].origin};
    HttpHead head = {.method = "DELETE", .headers = &origin, .n_headers = 1};
    assert_int_equal(browser_session_allows(&session, &head, false, "https", &routed), CASES[i].allowed);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_settings),
      cmocka_unit_test(test_query),
      cmocka_unit_test(test_cookies),
      cmocka_unit_test(test_named_origins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
