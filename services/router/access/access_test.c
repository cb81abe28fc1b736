/* Tokens: the example of the Agent Sandbox contract, and everything near it that must not pass. */
#include "services/router/access/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "services/router/access/scoped_token.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define PAYLOAD "eyJucyI6ImRlZmF1bHQiLCJuYW1lIjoibXktc2FuZGJveCIsImV4cCI6MjAwMDAwMDAwMH0"
#define MAC "5B4WHDfPZI9Vy_jJ04AY0wP_KtmMZUHTwzLIoTxj2Gc"
#define TOKEN "v1." PAYLOAD "." MAC
#define EXP 2000000000

static const HttpHead NO_HEAD = {.method = "GET", .target = "/"};

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

static void expect(AccessDenial got, int status, const char *detail) {
  assert_int_equal(got.status, status);
  if (detail)
    assert_string_equal(got.detail, detail);
}

static Access *access_with(AccessSettings settings) {
  Error err = {0};
  Access *a = access_new(&settings, &err);
  if (!a)
    fail_msg("%s", err.message);
  return a;
}

static void refused(AccessSettings settings, const char *word) {
  Error err = {0};
  assert_null(access_new(&settings, &err));
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_contains(err.message, word);
}

static void test_scoped(void **state) {
  char *path = secret_file("  " SECRET "\n\n");
  Access *a = access_with((AccessSettings){.mode = "scoped-token", .secret_file = path, .grpc_open = true});
  unlink(path);
  Target t = {.ns = "default", .id = "my-sandbox"};
  HttpHead head = with("Bearer " TOKEN);
  expect(access_check_caller(a, &head, 1), 0, NULL);
  expect(access_check_target(a, &head, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "");
  expect(access_check_target(a, &head, EXP, &t), 401, "unauthenticated");
  head = with("bearer \t " TOKEN);
  expect(access_check_target(a, &head, 1, &t), 0, NULL);
  static const char *const NONE[] = {NULL, "", "Bearer", "Bearer ", "Basic " TOKEN, TOKEN, "Bearer" TOKEN};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
    head = with(NONE[i]);
    expect(access_check_target(a, &head, 1, &t), 401, "unauthenticated");
  }
  head = with("Bearer " TOKEN);
  t.names_address = true;
  expect(access_check_target(a, &head, 1, &t), 403, "forbidden");
  t = (Target){.ns = "default", .id = "my-sandbox2"};
  expect(access_check_target(a, &head, 1, &t), 403, "forbidden");
  t = (Target){.ns = "other", .id = "my-sandbox"};
  expect(access_check_target(a, &head, 1, &t), 403, "forbidden");
  const HttpHeader two[] = {{"Authorization", "Bearer " TOKEN}, {"Authorization", "Bearer x"}};
  head = (HttpHead){.headers = two, .n_headers = 2};
  t = (Target){.ns = "default", .id = "my-sandbox"};
  expect(access_check_target(a, &head, 1, &t), 401, "unauthenticated");
  access_free(a);
}

static void test_bearer(void **state) {
  Access *a = access_with((AccessSettings){.mode = "allow-all", .bearer = " s3cret\n", .grpc_open = true});
  Target t = {.ns = "default", .id = "x"};
  HttpHead head = with("Bearer s3cret");
  expect(access_check_caller(a, &head, 1), 0, NULL);
  expect(access_check_target(a, &head, 1, &t), 0, NULL);
  static const char *const NONE[] = {NULL, "", "Bearer ", "Basic s3cret", "s3cret"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
    head = with(NONE[i]);
    expect(access_check_caller(a, &head, 1), 401, "Missing or invalid Authorization header.");
    expect(access_check_target(a, &head, 1, &t), 401, NULL);
  }
  static const char *const WRONG[] = {"Bearer s3cre", "Bearer s3cret2", "Bearer S3cret"};
  for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
    head = with(WRONG[i]);
    expect(access_check_caller(a, &head, 1), 401, "Invalid token.");
    expect(access_check_target(a, &head, 1, &t), 401, "Invalid token.");
  }
  access_free(a);
}

static void test_nothing_set(void **state) {
  Access *a = access_with((AccessSettings){.mode = "allow-all", .bearer = "  "});
  assert_true(access_http_is_open(a));
  assert_true(access_grpc_is_open(a));
  HttpHead head = with(NULL);
  Target t = {.ns = "default", .id = "x", .names_address = true};
  expect(access_check_caller(a, &head, 1), 0, NULL);
  expect(access_check_target(a, &head, 1, &t), 0, NULL);
  access_free(a);
}

/* Principals at the HTTP door: which sandboxes they reach is left in the target. */
static void test_principals(void **state) {
  char *path = secret_file("research token-of-research\nops token-of-operations admin\n");
  Access *a = access_with((AccessSettings){.mode = "allow-all", .tokens_file = path});
  assert_false(access_http_is_open(a));
  assert_false(access_grpc_is_open(a));
  Target t = {.ns = "default", .id = "x"};
  expect(access_judge(a, "token-of-research", &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "research");
  t = (Target){.ns = "default", .id = "x"};
  expect(access_judge(a, "token-of-operations", &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "");
  expect(access_judge(a, "token-of-nobody", &NO_HEAD, 1, &t), 401, "Invalid token.");
  expect(access_judge(a, NULL, &NO_HEAD, 1, &t), 401, "Missing or invalid Authorization header.");
  access_free(a);
  /* with the others beside them */
  a = access_with((AccessSettings){.mode = "allow-all", .tokens_file = path, .bearer = "s3cret"});
  t = (Target){.ns = "default", .id = "x"};
  expect(access_judge(a, "s3cret", &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "");
  expect(access_judge(a, "token-of-research", &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "research");
  access_free(a);
  char tokens[64];
  memcpy(tokens, path, sizeof tokens);
  path = secret_file(SECRET);
  a = access_with((AccessSettings){.mode = "scoped-token", .tokens_file = tokens, .secret_file = path});
  t = (Target){.ns = "default", .id = "my-sandbox"};
  expect(access_judge(a, TOKEN, &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "");
  expect(access_judge(a, "token-of-research", &NO_HEAD, 1, &t), 0, NULL);
  assert_string_equal(t.pass.owner, "research");
  expect(access_judge(a, "token-of-nobody", &NO_HEAD, 1, &t), 401, "unauthenticated");
  access_free(a);
  unlink(path);
  unlink(tokens);
}

/* What locks one door locks the other, unless it is said. */
static void test_half_locked(void **state) {
  char *path = secret_file(SECRET);
  Access *shut[] = {access_with((AccessSettings){.mode = "allow-all", .bearer = "s3cret"}),
                    access_with((AccessSettings){.mode = "scoped-token", .secret_file = path})};
  for (size_t i = 0; i < ARRAY_LEN(shut); i++) {
    assert_false(access_http_is_open(shut[i]));
    assert_false(access_grpc_is_open(shut[i]));
    assert_null(access_store(shut[i]));
    access_free(shut[i]);
  }
  refused((AccessSettings){.mode = "allow-all", .bearer = "s3cret", .http_open = true, .grpc_open = true},
          "--http-open");
  unlink(path);
  path = secret_file("research token-of-research\n");
  Access *a = access_with((AccessSettings){.mode = "allow-all", .tokens_file = path, .http_open = true});
  assert_true(access_http_is_open(a));
  assert_false(access_grpc_is_open(a));
  access_free(a);
  a = access_with((AccessSettings){.mode = "allow-all", .tokens_file = path, .grpc_open = true});
  assert_false(access_http_is_open(a));
  assert_true(access_grpc_is_open(a));
  access_free(a);
  unlink(path);
}

static void test_settings(void **state) {
  refused((AccessSettings){.mode = "maybe"}, "maybe");
  refused((AccessSettings){.mode = "scoped-token", .secret_file = "", .grpc_open = true}, "secret-file");
  refused((AccessSettings){.mode = "scoped-token", .secret_file = "/nonexistent", .grpc_open = true}, "/nonexistent");
  refused((AccessSettings){.mode = "allow-all", .keys_file = "/nonexistent"}, "--api-keys-file: /nonexistent");
  char *path = secret_file("   0123456789abcdef0123456789abcde   ");
  refused((AccessSettings){.mode = "scoped-token", .secret_file = path, .grpc_open = true}, "fewer than 32");
  unlink(path);
  path = secret_file(SECRET);
  refused((AccessSettings){.mode = "scoped-token", .bearer = "token", .secret_file = path, .grpc_open = true},
          "exclude");
  /* others may not write what decides who comes in */
  assert_int_equal(chmod(path, 0666), 0);
  refused((AccessSettings){.mode = "scoped-token", .secret_file = path, .grpc_open = true}, "others may write it");
  refused((AccessSettings){.mode = "allow-all", .tokens_file = path}, "others may write it");
  assert_int_equal(chmod(path, 0644), 0);
  refused((AccessSettings){.mode = "allow-all", .tokens_file = path}, "others may read it");
  unlink(path);
}

static void test_credential(void **state) {
  assert_string_equal(access_credential("Bearer x"), "x");
  assert_string_equal(access_credential("bEARER \t x y"), "x y");
  assert_null(access_credential("Bearer "));
  assert_null(access_credential("Bearer"));
  assert_null(access_credential("Basic x"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_example),     cmocka_unit_test(test_malformed),   cmocka_unit_test(test_scoped),
      cmocka_unit_test(test_bearer),      cmocka_unit_test(test_nothing_set), cmocka_unit_test(test_principals),
      cmocka_unit_test(test_half_locked), cmocka_unit_test(test_settings),    cmocka_unit_test(test_credential),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
