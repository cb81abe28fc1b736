/* The order of the checks on a request, and which of them end the connection. */
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
  Admission a = admit(access, &head, 180000, 0, &target);
  assert_int_equal(a.status, status);
  assert_int_equal(a.close, close);
  assert_int_equal(a.judged, judged);
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_passes),
      cmocka_unit_test(test_health_comes_first),
      cmocka_unit_test(test_token_comes_before_headers),
      cmocka_unit_test(test_what_ends_the_connection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
