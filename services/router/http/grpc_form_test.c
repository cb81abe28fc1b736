/* Heads of gRPC in both forms, time limits, and statuses of the router's own. */
#include "services/router/http/grpc_form.h"

#include <string.h>

#include "lib/base/test.h"

static void test_read(void **state) {
  static const char HEAD[] =
      "POST /a.B/C?d HTTP/1.1\r\nHost: 127.0.0.1:50051\r\nContent-Type: application/grpc\r\nGrpc-Timeout: 2S\r\n"
      "X-Own: a: b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
  GrpcForm form;
  assert_int_equal(grpc_form_read(HEAD, &form), 2000);
  assert_string_equal(form.path, "/a.B/C?d");
  assert_int_equal(form.n_fields, 3);
  assert_string_equal(form.fields[0].name, "te");
  assert_string_equal(form.fields[1].name, "Content-Type");
  assert_string_equal(form.fields[1].value, "application/grpc");
  assert_string_equal(form.fields[2].name, "X-Own");
  assert_string_equal(form.fields[2].value, "a: b");
  grpc_form_deinit(&form);
  assert_int_equal(grpc_form_read("POST / HTTP/1.1\r\n\r\n", &form), INT64_MAX);
  assert_int_equal(form.n_fields, 1);
  grpc_form_deinit(&form);
}

static void test_timeouts(void **state) {
  static const struct {
    const char *text;
    int64_t ms;
  } CASES[] = {
      {"1n", 1},   {"1500u", 2}, {"20m", 20}, {"3S", 3000}, {"2M", 120000}, {"99999999H", 99999999 * 3600000LL},
      {"0m", 0},   {"", -1},     {"m", -1},   {"5", -1},    {"5x", -1},     {"123456789m", -1},
      {"-1m", -1}, {"1mm", -1},  {" 1m", -1}, {"1.5S", -1},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++)
    assert_int_equal(grpc_form_timeout_ms(CASES[i].text), CASES[i].ms);
}

static void test_statuses(void **state) {
  GrpcStatusFields fields;
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "100%% \xc3\xa4\n");
  grpc_form_status(&err, &fields);
  assert_string_equal(fields.head[1].value, "14");
  assert_string_equal(fields.head[2].value, "100%25 %C3%A4%0A");
  memset(err.message, '%', sizeof err.message - 1);
  err.message[sizeof err.message - 1] = '\0';
  grpc_form_status(&err, &fields);
  assert_int_equal(strlen(fields.message), 3 * (sizeof err.message - 1));
  assert_int_equal(grpc_form_kind(400), ERROR_INVALID_ARGUMENT);
  assert_int_equal(grpc_form_kind(401), ERROR_UNAUTHENTICATED);
  assert_int_equal(grpc_form_kind(403), ERROR_PERMISSION_DENIED);
  assert_int_equal(grpc_form_kind(502), ERROR_UNAVAILABLE);
  assert_int_equal(grpc_form_kind(504), ERROR_INTERNAL);
}

static void test_answers(void **state) {
  const Http2Field in[] = {{"content-type", "a"}, {"connection", "close"}, {"content-length", "3"}, {"x", "y"}};
  Http2Field out[4];
  assert_int_equal(grpc_form_answer(in, 4, out), 3);
  assert_string_equal(out[2].name, "x");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_read),
      cmocka_unit_test(test_timeouts),
      cmocka_unit_test(test_statuses),
      cmocka_unit_test(test_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
