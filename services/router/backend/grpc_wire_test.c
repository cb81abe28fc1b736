/* Frames, time limits and statuses of gRPC, as servers send them and as nobody should. */
#include "services/router/backend/grpc_wire.h"

#include <string.h>

#include "lib/base/test.h"

static void test_frames(void **state) {
  uint8_t head[GRPC_WIRE_HEAD + 2] = {0};
  size_t len = 0;
  Error err;
  grpc_wire_head(2, head);
  assert_memory_equal(head, "\0\0\0\0\2", GRPC_WIRE_HEAD);
  for (size_t n = 0; n < sizeof head; n++)
    assert_int_equal(grpc_wire_next(head, n, &len, &err), 1);
  assert_int_equal(grpc_wire_next(head, sizeof head, &len, &err), 0);
  assert_int_equal(len, 2);
  grpc_wire_head(GRPC_WIRE_MAX, head);
  assert_int_equal(grpc_wire_next(head, sizeof head, &len, &err), 1);
  grpc_wire_head(GRPC_WIRE_MAX + 1, head);
  assert_int_equal(grpc_wire_next(head, sizeof head, &len, &err), -1);
  assert_int_equal(err.kind, ERROR_RESOURCE_EXHAUSTED);
  grpc_wire_head(2, head);
  head[0] = 1;
  assert_int_equal(grpc_wire_next(head, sizeof head, &len, &err), -1);
  assert_int_equal(err.kind, ERROR_INTERNAL);
}

static void test_timeouts(void **state) {
  static const struct {
    int64_t ms;
    const char *text;
  } CASES[] = {
      {1, "1m"},
      {99999999, "99999999m"},
      {100000000, "100000S"},
      {100000001, "100001S"},
      {(int64_t)99999999 * 1000, "99999999S"},
      {(int64_t)99999999 * 1000 + 1, "1666667M"},
      {(int64_t)10 * 365 * 86400 * 1000, "5256000M"},
      {INT64_MAX, "99999999H"},
  };
  char text[GRPC_WIRE_TIMEOUT];
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    grpc_wire_timeout(CASES[i].ms, text);
    assert_string_equal(text, CASES[i].text);
  }
}

static void test_values(void **state) {
  assert_true(grpc_wire_is_value("Bearer a~b c"));
  assert_true(grpc_wire_is_value(""));
  assert_false(grpc_wire_is_value(" a"));
  assert_false(grpc_wire_is_value("a "));
  assert_false(grpc_wire_is_value("a\nb"));
  assert_false(grpc_wire_is_value("\xc3\xa4"));
  assert_true(grpc_wire_is_grpc("application/grpc"));
  assert_true(grpc_wire_is_grpc("application/grpc+proto"));
  assert_true(grpc_wire_is_grpc("application/grpc;charset=utf-8"));
  assert_false(grpc_wire_is_grpc("application/grpc-web"));
  assert_false(grpc_wire_is_grpc("text/html"));
  assert_false(grpc_wire_is_grpc(NULL));
}

static Error status_of(const Http2Field *fields, size_t n, int http, Buf *details) {
  Error err;
  grpc_wire_status(fields, n, http, &err, details);
  return err;
}

static void test_statuses(void **state) {
  CLEANUP(buf_deinit) Buf details = {0};
  const Http2Field ok[] = {{"grpc-status", "0"}, {"grpc-message", "not told"}};
  assert_int_equal(status_of(ok, 2, 200, &details).kind, ERROR_NONE);
  const Http2Field failed[] = {
      {"grpc-status", "5"}, {"grpc-message", "no %C3%A4pfel%0A100%, %zz%4"}, {"grpc-status-details-bin", "CAUSAm5v"}};
  Error err = status_of(failed, 3, 200, &details);
  assert_int_equal(err.kind, ERROR_NOT_FOUND);
  assert_string_equal(err.message, "no \xc3\xa4pfel\n100%, %zz%4");
  assert_int_equal(details.len, 6);
  assert_memory_equal(details.data, "\x08\x05\x12\x02no", 6);
  details.len = 0;
  /* without padding, as gRPC's libraries send it, with it, and none at all */
  static const char *const CODED[] = {"CAU", "CAU=", "CAU,CAU"};
  for (size_t i = 0; i < ARRAY_LEN(CODED); i++) {
    const Http2Field one[] = {{"grpc-status", "5"}, {"grpc-status-details-bin", CODED[i]}};
    status_of(one, 2, 200, &details);
    assert_int_equal(details.len, 2);
    details.len = 0;
  }
  const Http2Field broken[] = {{"grpc-status", "5"}, {"grpc-status-details-bin", "!!!"}};
  assert_int_equal(status_of(broken, 2, 200, &details).kind, ERROR_NOT_FOUND);
  assert_int_equal(details.len, 0);
}

static void test_statuses_of_no_server_of_ours(void **state) {
  static const struct {
    const char *status;
    int http;
    ErrorKind kind;
  } CASES[] = {
      {NULL, 200, ERROR_UNKNOWN},     {NULL, 404, ERROR_UNIMPLEMENTED},   {NULL, 503, ERROR_UNAVAILABLE},
      {NULL, 400, ERROR_INTERNAL},    {NULL, 401, ERROR_UNAUTHENTICATED}, {NULL, 403, ERROR_PERMISSION_DENIED},
      {NULL, 429, ERROR_UNAVAILABLE}, {NULL, 502, ERROR_UNAVAILABLE},     {NULL, 504, ERROR_UNAVAILABLE},
      {NULL, 500, ERROR_UNKNOWN},     {"17", 200, ERROR_UNKNOWN},         {"-1", 200, ERROR_UNKNOWN},
      {"x", 200, ERROR_UNKNOWN},      {"", 200, ERROR_UNKNOWN},           {"16", 200, ERROR_UNAUTHENTICATED},
      {"14", 503, ERROR_UNAVAILABLE},
  };
  CLEANUP(buf_deinit) Buf details = {0};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    const Http2Field field = {"grpc-status", CASES[i].status};
    assert_int_equal(status_of(&field, CASES[i].status != NULL, CASES[i].http, &details).kind, CASES[i].kind);
  }
  static char message[2000];
  memset(message, 'm', sizeof message - 1);
  const Http2Field large[] = {{"grpc-status", "2"}, {"grpc-message", message}};
  Error err = status_of(large, 2, 200, &details);
  assert_int_equal(strlen(err.message), sizeof err.message - 1);
}

static void test_resets(void **state) {
  assert_int_equal(grpc_wire_kind_of_reset(7), ERROR_UNAVAILABLE);
  assert_int_equal(grpc_wire_kind_of_reset(8), ERROR_CANCELLED);
  assert_int_equal(grpc_wire_kind_of_reset(11), ERROR_RESOURCE_EXHAUSTED);
  assert_int_equal(grpc_wire_kind_of_reset(12), ERROR_PERMISSION_DENIED);
  assert_int_equal(grpc_wire_kind_of_reset(0), ERROR_INTERNAL);
  assert_int_equal(grpc_wire_kind_of_reset(77), ERROR_INTERNAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_frames), cmocka_unit_test(test_timeouts),
      cmocka_unit_test(test_values), cmocka_unit_test(test_statuses),
      cmocka_unit_test(test_resets), cmocka_unit_test(test_statuses_of_no_server_of_ours),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
