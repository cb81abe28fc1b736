/* Heads between the two versions: nothing is lost on the way, and nothing gets a second meaning. */
#include "lib/base/test.h"
#include "services/router/http/http2_head_form.h"

#include <string.h>

static void test_a_request(void **state) {
  const Http2Field in[] = {{"x-sandbox-id", "a"}, {"content-length", "12"}, {"te", "trailers"}};
  const Http2Request request = {"POST", "http", "front:1", "/a?b", in, 3, false};
  HttpHeader fields[4];
  HttpHead head;
  assert_true(http2_request_head(&request, fields, &head));
  assert_string_equal(head.method, "POST");
  assert_string_equal(head.target, "/a?b");
  assert_int_equal(head.n_headers, 4);
  assert_string_equal(http_head_get(&head, "Host"), "front:1");
  assert_string_equal(http_head_get(&head, "X-Sandbox-ID"), "a");
  assert_int_equal(head.content_length, 12);
  assert_false(head.chunked);
  assert_false(head.no_body);
  assert_false(head.upgrade);
}

static void test_a_body_without_a_length(void **state) {
  const Http2Request request = {"PUT", "http", NULL, "/", NULL, 0, false};
  HttpHeader fields[1];
  HttpHead head;
  assert_true(http2_request_head(&request, fields, &head));
  assert_true(head.chunked);
  assert_int_equal(head.content_length, -1);
  assert_null(http_head_get(&head, "Host"));
}

static void test_no_body(void **state) {
  const Http2Field in[] = {{"content-length", "0"}};
  Http2Request request = {"PUT", "http", "a", "/", in, 1, true};
  HttpHeader fields[2];
  HttpHead head;
  assert_true(http2_request_head(&request, fields, &head));
  assert_true(head.no_body);
  assert_false(head.chunked);
  assert_int_equal(head.content_length, 0);
  request.n_fields = 0;
  assert_true(http2_request_head(&request, fields, &head));
  assert_false(head.chunked);
  assert_int_equal(head.content_length, -1);
}

/* It would be a label of metrics for ever. */
static void test_a_method_that_is_made_up(void **state) {
  const Http2Request request = {"GET2", "http", "a", "/", NULL, 0, true};
  HttpHeader fields[1];
  HttpHead head;
  assert_false(http2_request_head(&request, fields, &head));
  assert_string_equal(head.method, "-");
}

static void test_connect_has_no_path(void **state) {
  const Http2Request request = {"CONNECT", NULL, "a:1", NULL, NULL, 0, false};
  HttpHeader fields[1];
  HttpHead head;
  assert_true(http2_request_head(&request, fields, &head));
  assert_string_equal(head.target, "");
}

static void test_an_answer(void **state) {
  const HttpHeader in[] = {{"Connection", "X-Hop"}, {"X-Hop", "1"},          {"Keep-Alive", "a"},
                           {"Content-Length", "3"}, {"Content-Type", "a/b"}, {"Transfer-Encoding", "chunked"}};
  HttpHead head = {.status = 200, .headers = in, .n_headers = 6, .content_length = 3};
  Http2Field fields[7];
  char length[24];
  assert_int_equal(http2_answer_fields(&head, fields, length), 2);
  assert_string_equal(fields[0].name, "Content-Type");
  assert_string_equal(fields[1].name, "content-length");
  assert_string_equal(fields[1].value, "3");
  head.status = 204;
  assert_int_equal(http2_answer_fields(&head, fields, length), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_request),
      cmocka_unit_test(test_a_body_without_a_length),
      cmocka_unit_test(test_no_body),
      cmocka_unit_test(test_a_method_that_is_made_up),
      cmocka_unit_test(test_connect_has_no_path),
      cmocka_unit_test(test_an_answer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
