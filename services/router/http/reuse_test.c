/* Which requests and which answers leave a connection to others. */
#include "services/router/http/reuse.h"

#include "lib/base/buf.h"
#include "lib/base/test.h"

typedef struct Seen {
  bool headed, suits;
} Seen;

static bool on_head(void *arg, const HttpHead *head) {
  Seen *s = arg;
  s->headed = true;
  s->suits = head->method ? reuse_suits_request(head) : reuse_suits_answer(head);
  return false;
}

static bool suits(HttpSide side, const char *first, const char *fields) {
  static const HttpReaderHandlers HANDLERS = {.on_head = on_head};
  CLEANUP(buf_deinit) Buf text = {0};
  Seen seen = {0};
  size_t used;
  Error err;
  assert_int_equal(buf_printf(&text, "%s\r\n%s\r\n", first, fields), 0);
  HttpReader *reader = http_reader_new(side, &HANDLERS, &seen);
  assert_int_equal(http_reader_feed(reader, text.data, text.len, &used, &err), 0);
  http_reader_free(reader);
  assert_true(seen.headed);
  return seen.suits;
}

static bool request(const char *method, const char *fields) {
  CLEANUP(buf_deinit) Buf first = {0};
  assert_int_equal(buf_printf(&first, "%s / HTTP/1.1", method), 0);
  return suits(HTTP_REQUESTS, buf_str(&first), fields);
}

static bool answer(const char *status, const char *fields) {
  CLEANUP(buf_deinit) Buf first = {0};
  assert_int_equal(buf_printf(&first, "HTTP/1.1 %s", status), 0);
  return suits(HTTP_RESPONSES, buf_str(&first), fields);
}

static void test_requests(void **state) {
  assert_true(request("GET", ""));
  assert_true(request("OPTIONS", ""));
  assert_true(request("GET", "Content-Length: 0\r\n"));
  assert_true(request("GET", "Connection: close\r\n"));
  assert_true(request("GET", "Content_Type: a\r\nX_Content-Length: 5\r\nContent-Lengthy_: 5\r\n"));
  static const char *const METHODS[] = {"HEAD", "POST", "PUT", "DELETE", "PATCH", "PROPFIND", "MKCOL", "REPORT"};
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    assert_false(request(METHODS[i], ""));
}

static void test_requests_with_a_body(void **state) {
  assert_false(request("GET", "Content-Length: 1\r\n"));
  assert_false(request("GET", "Transfer-Encoding: chunked\r\n"));
  assert_false(request("OPTIONS", "Content-Length: 1\r\n"));
  /* a length to some program */
  assert_false(request("GET", "Content_Length: 5\r\n"));
  assert_false(request("GET", "content_length: 0\r\n"));
  assert_false(request("GET", "TRANSFER_ENCODING: chunked\r\n"));
}

static void test_answers(void **state) {
  assert_true(answer("200 OK", "Content-Length: 5\r\n"));
  assert_true(answer("200 OK", "Content-Length: 0\r\n"));
  assert_true(answer("404 Not Found", "Transfer-Encoding: chunked\r\n"));
  assert_true(answer("500 Oh", "Content-Length: 5\r\nConnection: keep-alive\r\n"));
  assert_true(answer("204 No Content", ""));
  assert_true(answer("204 No Content", "Content-Length: 0\r\n"));
  assert_true(answer("304 Not Modified", ""));
}

static void test_answers_that_end(void **state) {
  assert_false(answer("200 OK", ""));
  assert_false(answer("200 OK", "Content-Length: 5\r\nConnection: close\r\n"));
  assert_false(answer("200 OK", "Content-Length: 5\r\nConnection: keep-alive, Close\r\n"));
  assert_false(answer("200 OK", "Content-Length: 5\r\nConnection: keep-alive\r\nConnection: close\r\n"));
  assert_false(suits(HTTP_RESPONSES, "HTTP/1.0 200 OK", "Content-Length: 5\r\n"));
  assert_false(suits(HTTP_RESPONSES, "HTTP/1.0 200 OK", "Content-Length: 5\r\nConnection: keep-alive\r\n"));
}

static void test_answers_in_doubt(void **state) {
  assert_false(answer("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
  assert_false(answer("204 No Content", "Content-Length: 5\r\n"));
  assert_false(answer("204 No Content", "Transfer-Encoding: chunked\r\n"));
  assert_false(answer("304 Not Modified", "Content-Length: 5\r\n"));
  assert_false(answer("304 Not Modified", "Transfer-Encoding: chunked\r\n"));
  assert_false(answer("100 Continue", ""));
  assert_false(answer("103 Early Hints", ""));
  assert_false(answer("101 Switching Protocols", "Upgrade: x\r\nConnection: upgrade\r\n"));
  assert_false(answer("400 Bad Request", "Content-Length: 5\r\n"));
  assert_false(answer("408 Request Timeout", "Content-Length: 5\r\n"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),         cmocka_unit_test(test_requests_with_a_body),
      cmocka_unit_test(test_answers),          cmocka_unit_test(test_answers_that_end),
      cmocka_unit_test(test_answers_in_doubt),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
