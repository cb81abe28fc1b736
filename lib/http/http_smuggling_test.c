/* What must be refused: messages that another program on the way could read differently, and heads without
 * an end. */
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/http/http_reader.h"

static bool on_head(void *arg, const HttpHead *h) {
  return true;
}
static void on_body(void *arg, const uint8_t *data, size_t len) {}
static const HttpReaderHandlers HANDLERS = {.on_head = on_head, .on_body = on_body};

/* Feeds all of it in pieces of step bytes; the error's kind, ERROR_NONE when it was taken. */
static ErrorKind feed(HttpSide side, const char *data, size_t len, size_t step) {
  HttpReader *r = http_reader_new(side, &HANDLERS, NULL);
  Error err = {0};
  for (size_t at = 0; at < len && err.kind == ERROR_NONE;) {
    size_t used = 0, n = len - at < step ? len - at : step;
    if (http_reader_feed(r, data + at, n, &used, &err) != 0)
      break;
    at += used;
  }
  http_reader_free(r);
  return err.kind;
}

static void refuse_bytes(HttpSide side, const char *data, size_t len) {
  for (size_t step = 1; step <= len; step++) {
    if (feed(side, data, len, step) == ERROR_INVALID_ARGUMENT)
      continue;
    fail_msg("taken in steps of %zu: %.*s", step, (int)len, data);
  }
}

#define REQUEST(text) refuse_bytes(HTTP_REQUESTS, text, sizeof(text) - 1)
#define RESPONSE(text) refuse_bytes(HTTP_RESPONSES, text, sizeof(text) - 1)
#define POST "POST / HTTP/1.1\r\nHost: x\r\n"

static void test_lengths(void **state) {
  REQUEST(POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
  REQUEST(POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
  REQUEST(POST "Content-Length: 5, 5\r\n\r\nhello");
  REQUEST(POST "Content-Length: +5\r\n\r\nhello");
  REQUEST(POST "Content-Length: -5\r\n\r\nhello");
  REQUEST(POST "Content-Length: 0x5\r\n\r\nhello");
  REQUEST(POST "Content-Length: 5 5\r\n\r\nhello");
  REQUEST(POST "Content-Length:\r\n\r\nhello");
  REQUEST(POST "Content-Length: 18446744073709551620\r\n\r\nhello");
  REQUEST(POST "Content-Length: 9223372036854775807\r\n\r\nhello");
  RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
  RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello");
  RESPONSE("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\nhello");
}

static void test_codings(void **state) {
  REQUEST(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: identity\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding:\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n");
  REQUEST("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  RESPONSE("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n");
}

static void test_line_ends(void **state) {
  REQUEST("GET / HTTP/1.1\nHost: x\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nHost: x\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nHost: x\r\n\n");
  REQUEST("GET / HTTP/1.1\r\nHost: x\rX-Sandbox-ID: a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nHost: x\r\r\n\r\n");
  REQUEST("GET /\r HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1;a\nx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1\rAx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nx\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1\r\nxXX0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n\n");
  RESPONSE("HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n");
  RESPONSE("HTTP/1.1 200 OK\rA: b\r\n\r\n");
}

static void test_fields(void **state) {
  REQUEST("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\n A: b\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nX-Sandbox-ID : a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nX Sandbox: a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nX-Sandbox-ID\t: a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\n: a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nno colon\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA(b): a\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA: \x01\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA: \x7f\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA: a\0b\r\n\r\n");
  REQUEST("GET / HTTP/1.1\r\nA\0: a\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n bad\r\n\r\n");
}

static void test_start_lines(void **state) {
  REQUEST("garbage\r\n\r\n");
  REQUEST("GET /\r\n\r\n");
  REQUEST("GET / HTTP/2.0\r\n\r\n");
  REQUEST("GET / HTTP/1.2\r\n\r\n");
  REQUEST("GET / HTTP/11\r\n\r\n");
  REQUEST("GET  / HTTP/1.1\r\n\r\n");
  REQUEST("GET / x HTTP/1.1\r\n\r\n");
  REQUEST("GET /a\tb HTTP/1.1\r\n\r\n");
  REQUEST("GET /a\0b HTTP/1.1\r\n\r\n");
  REQUEST(" GET / HTTP/1.1\r\n\r\n");
  REQUEST("GE(T / HTTP/1.1\r\n\r\n");
  REQUEST("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  RESPONSE("HTTP/1.1 20 OK\r\n\r\n");
  RESPONSE("HTTP/1.1 099 OK\r\n\r\n");
  RESPONSE("HTTP/1.1 2000 OK\r\n\r\n");
  RESPONSE("HTTP/1.1200 OK\r\n\r\n");
  RESPONSE("ICY 200 OK\r\n\r\n");
}

static void test_chunks(void **state) {
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\nx\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n 1\r\nx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\n1 1\r\nx\r\n0\r\n\r\n");
  REQUEST(POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n");
}

/* Text of n times piece behind prefix is refused as too large, at the latest when `most` bytes are in. */
static void refuse_large_of(HttpSide side, const char *prefix, const char *piece, size_t most) {
  Buf text = BUF_INIT(1 << 20);
  assert_int_equal(buf_append_str(&text, prefix), 0);
  while (text.len < most)
    assert_int_equal(buf_append_str(&text, piece), 0);
  static const size_t STEPS[] = {1, 1000, 1 << 20};
  for (size_t i = 0; i < ARRAY_LEN(STEPS); i++)
    assert_int_equal(feed(side, buf_str(&text), text.len, STEPS[i]), ERROR_RESOURCE_EXHAUSTED);
  buf_deinit(&text);
}

static void refuse_large(const char *prefix, const char *piece, size_t most) {
  refuse_large_of(HTTP_REQUESTS, prefix, piece, most);
}

static void test_heads_without_end(void **state) {
  refuse_large_of(HTTP_RESPONSES, "", "\n", HTTP_MAX_HEAD_BYTES + 16);
  refuse_large_of(HTTP_RESPONSES, "HTTP/1.1 200 OK\n", "no colon\n", HTTP_MAX_HEAD_BYTES + 16);
  refuse_large_of(HTTP_RESPONSES, "HTTP/1.1 200 OK\nA: b\n", " c\n", HTTP_MAX_HEAD_BYTES + 16);

  refuse_large("GET /", "aaaaaaaa", HTTP_MAX_HEAD_BYTES + 16);
  refuse_large("GET / HTTP/1.1\r\nA: ", "aaaaaaaa", HTTP_MAX_HEAD_BYTES + 16);
  refuse_large("GET / HTTP/1.1\r\n", "A: b\r\n", (HTTP_MAX_HEADERS + (size_t)4) * 6);
  refuse_large("", "\r\n", HTTP_MAX_HEAD_BYTES + 16);
  refuse_large(POST "Transfer-Encoding: chunked\r\n\r\n1;", "aaaaaaaa", 4200);
  refuse_large(POST "Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", "aaaaaaaa", HTTP_MAX_HEAD_BYTES + 200);
  refuse_large(POST "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n", (HTTP_MAX_HEADERS + (size_t)4) * 6 + 80);
}

static void test_largest_head_is_taken(void **state) {
  Buf text = BUF_INIT(1 << 20);
  assert_int_equal(buf_append_str(&text, "GET / HTTP/1.1\r\n"), 0);
  for (int i = 0; i < HTTP_MAX_HEADERS - 1; i++)
    assert_int_equal(buf_printf(&text, "A%d:\r\n", i), 0);
  assert_int_equal(buf_append_str(&text, "B: "), 0);
  while (text.len < HTTP_MAX_HEAD_BYTES - 4)
    assert_int_equal(buf_append_str(&text, "b"), 0);
  assert_int_equal(buf_append_str(&text, "\r\n\r\n"), 0);
  assert_int_equal(text.len, HTTP_MAX_HEAD_BYTES);
  assert_int_equal(feed(HTTP_REQUESTS, buf_str(&text), text.len, 1), ERROR_NONE);
  assert_int_equal(feed(HTTP_REQUESTS, buf_str(&text), text.len, 1 << 20), ERROR_NONE);
  buf_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lengths),           cmocka_unit_test(test_codings),
      cmocka_unit_test(test_line_ends),         cmocka_unit_test(test_fields),
      cmocka_unit_test(test_start_lines),       cmocka_unit_test(test_chunks),
      cmocka_unit_test(test_heads_without_end), cmocka_unit_test(test_largest_head_is_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
