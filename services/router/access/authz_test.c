/* Tokens: the example of the Agent Sandbox contract, and everything near it that must not pass. */
#include "services/router/access/authz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "services/router/access/scoped_token.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define PAYLOAD "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoibXktc2FuZGJveCIsImV4cCI6MjAwMDAwMDAwMH0"
#define MAC "5B4WHDfPZI9Vy_jJ04AY0wP_KtmMZUHTwzLIoTxj2Gc"
#define TOKEN "v1." PAYLOAD "." MAC
#define EXP 2000000000

static bool verify(const char *token, int64_t now_s) {
  ScopedToken t;
  return scoped_token_verify(token, SECRET, strlen(SECRET), now_s, &t);
}

static void test_example(void **state) {
  ScopedToken t;
  assert_true(scoped_token_verify(TOKEN, SECRET, strlen(SECRET), EXP - 1, &t));
  assert_string_equal(t.ns, "default");
  assert_string_equal(t.name, "my-sandbox");
  assert_int_equal(t.exp_s, EXP);
  assert_false(verify(TOKEN, EXP));
  assert_false(scoped_token_verify(TOKEN, "another secret of 32 bytes......", 32, 0, &t));
}

static void test_malformed(void **state) {
  static const char *const BAD[] = {
      "", "v1", "v1.", "v1..", "v2." PAYLOAD "." MAC, "v1." PAYLOAD, "v1." PAYLOAD ".", "v1.." MAC,
      /* payload and mac of one character less, more or other */
      "v1.eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoibXktc2FuZGJveCIsImV4cCI6MjAwMDAwMDAwMX0." MAC,
      "v1." PAYLOAD ".5B4WHDfPZI9Vy_jJ04AY0wP_KtmMZUHTwzLIoTxj2Gd", "v1." PAYLOAD ".5B4W", "v1." PAYLOAD "." MAC "A",
      "v1." PAYLOAD "." MAC "=", TOKEN ".x", "v1." PAYLOAD "." MAC " "};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    if (verify(BAD[i], 0))
      fail_msg("taken: %s", BAD[i]);
  char long_token[4096];
  memset(long_token, 'a', sizeof long_token - 1);
  long_token[sizeof long_token - 1] = 0;
  memcpy(long_token, "v1.", 3);
  assert_false(verify(long_token, 0));
}

static char *secret_file(const char *content) {
  static char path[64];
  snprintf(path, sizeof path, "/tmp/secret.XXXXXX");
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, content, strlen(content)), strlen(content));
  close(fd);
  return path;
}

static HttpHead with(const char *authorization) {
  static HttpHeader field;
  field = (HttpHeader){"Authorization", authorization};
  return (HttpHead){.headers = &field, .n_headers = authorization ? 1 : 0};
}

static void expect(AuthzDenial got, int status, const char *detail) {
  assert_int_equal(got.status, status);
  if (detail)
    assert_string_equal(got.detail, detail);
}

static void test_scoped(void **state) {
  Authz a;
  Error err;
  char *path = secret_file("  " SECRET "\n\n");
  assert_ok(authz_init(&a, "scoped-token", "", path, &err), &err);
  unlink(path);
  Target t = {.ns = "default", .id = "my-sandbox"};
  HttpHead head = with("Bearer " TOKEN);
  expect(authz_check_bearer(&a, &head), 0, NULL);
  expect(authz_check_target(&a, &head, &t, 1), 0, NULL);
  expect(authz_check_target(&a, &head, &t, EXP), 401, "unauthenticated");
  head = with("bearer \t " TOKEN);
  expect(authz_check_target(&a, &head, &t, 1), 0, NULL);
  static const char *const NONE[] = {NULL, "", "Bearer", "Bearer ", "Basic " TOKEN, TOKEN, "Bearer" TOKEN};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
    head = with(NONE[i]);
    expect(authz_check_target(&a, &head, &t, 1), 401, "unauthenticated");
  }
  head = with("Bearer " TOKEN);
  t.names_address = true;
  expect(authz_check_target(&a, &head, &t, 1), 403, "forbidden");
  t = (Target){.ns = "default", .id = "my-sandbox2"};
  expect(authz_check_target(&a, &head, &t, 1), 403, "forbidden");
  t = (Target){.ns = "other", .id = "my-sandbox"};
  expect(authz_check_target(&a, &head, &t, 1), 403, "forbidden");
  const HttpHeader two[] = {{"Authorization", "Bearer " TOKEN}, {"Authorization", "Bearer x"}};
  head = (HttpHead){.headers = two, .n_headers = 2};
  t = (Target){.ns = "default", .id = "my-sandbox"};
  expect(authz_check_target(&a, &head, &t, 1), 401, "unauthenticated");
  authz_deinit(&a);
}

static void test_bearer(void **state) {
  Authz a;
  Error err;
  assert_ok(authz_init(&a, "allow-all", " s3cret\n", "", &err), &err);
  HttpHead head = with("Bearer s3cret");
  expect(authz_check_bearer(&a, &head), 0, NULL);
  static const char *const NONE[] = {NULL, "", "Bearer ", "Basic s3cret", "s3cret"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
    head = with(NONE[i]);
    expect(authz_check_bearer(&a, &head), 401, "Missing or invalid Authorization header.");
  }
  static const char *const WRONG[] = {"Bearer s3cre", "Bearer s3cret2", "Bearer S3cret"};
  for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
    head = with(WRONG[i]);
    expect(authz_check_bearer(&a, &head), 401, "Invalid token.");
  }
  authz_deinit(&a);
}

static void test_allow_all(void **state) {
  Authz a;
  Error err;
  assert_ok(authz_init(&a, "allow-all", "  ", "", &err), &err);
  HttpHead head = with(NULL);
  Target t = {.ns = "default", .id = "x", .names_address = true};
  expect(authz_check_bearer(&a, &head), 0, NULL);
  expect(authz_check_target(&a, &head, &t, 1), 0, NULL);
  authz_deinit(&a);
}

static void test_settings(void **state) {
  Authz a;
  Error err;
  assert_int_equal(authz_init(&a, "maybe", "", "", &err), -1);
  assert_int_equal(authz_init(&a, "scoped-token", "", "", &err), -1);
  authz_deinit(&a);
  assert_int_equal(authz_init(&a, "scoped-token", "", "/nonexistent", &err), -1);
  authz_deinit(&a);
  char *path = secret_file("   0123456789abcdef0123456789abcde   ");
  assert_int_equal(authz_init(&a, "scoped-token", "", path, &err), -1);
  authz_deinit(&a);
  unlink(path);
  path = secret_file(SECRET);
  assert_int_equal(authz_init(&a, "scoped-token", "token", path, &err), -1);
  authz_deinit(&a);
  unlink(path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_example), cmocka_unit_test(test_malformed), cmocka_unit_test(test_scoped),
      cmocka_unit_test(test_bearer),  cmocka_unit_test(test_allow_all), cmocka_unit_test(test_settings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
