/* What well-formed messages give, in every way they can be cut into pieces. */
#include "lib/http/http_reader.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"

typedef struct Seen {
  Buf text; /* what the handlers were told, as text */
  bool stop;
} Seen;

static void say(Seen *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(Seen *s, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  assert_int_equal(buf_vprintf(&s->text, fmt, ap), 0);
  va_end(ap);
}

static bool on_head(void *arg, const HttpHead *h) {
  Seen *s = arg;
  if (h->method)
    say(s, "%s %s 1.%d", h->method, h->target, h->minor_version);
  else
    say(s, "%d 1.%d", h->status, h->minor_version);
  for (size_t i = 0; i < h->n_headers; i++)
    say(s, " %s=%s", h->headers[i].name, h->headers[i].value);
  if (h->keep_alive)
    say(s, " +keep");
  if (h->upgrade)
    say(s, " +upgrade");
  if (h->chunked)
    say(s, " +chunked");
  if (h->no_body)
    say(s, " +nobody");
  if (h->content_length >= 0)
    say(s, " +%lld", (long long)h->content_length);
  say(s, "|");
  return !s->stop;
}
static void on_body(void *arg, const uint8_t *data, size_t len) {
  say(arg, "%.*s", (int)len, (const char *)data);
}
static void on_trailer(void *arg, const HttpHeader *f) {
  say(arg, "~%s=%s", f->name, f->value);
}
static void on_end(void *arg) {
  say(arg, "#\n");
}

static const HttpReaderHandlers HANDLERS = {on_head, on_body, on_trailer, on_end};

/* Feeds text in pieces of `step` bytes and compares what was seen. */
static void expect_step(HttpSide side, bool head_method, const char *text, size_t step, const char *want, bool eof) {
  Seen s = {.text = BUF_INIT(1 << 20)};
  HttpReader *r = http_reader_new(side, &HANDLERS, &s);
  if (head_method)
    http_reader_expect_no_body(r);
  Error err;
  size_t len = strlen(text);
  for (size_t at = 0; at < len;) {
    size_t used, n = len - at < step ? len - at : step;
    assert_ok(http_reader_feed(r, text + at, n, &used, &err), &err);
    assert_true(used > 0 && used <= n);
    at += used;
  }
  if (eof)
    assert_ok(http_reader_eof(r, &err), &err);
  assert_string_equal(buf_str(&s.text), want);
  http_reader_free(r);
  buf_deinit(&s.text);
}

static void expect(HttpSide side, const char *text, const char *want) {
  for (size_t step = 1; step <= strlen(text); step++)
    expect_step(side, false, text, step, want, true);
}

static void test_requests(void **state) {
  expect(HTTP_REQUESTS, "GET /a%20b/../c?d=e HTTP/1.1\r\nHost:  x \t\r\nEmpty:\r\n\r\n",
         "GET /a%20b/../c?d=e 1.1 Host=x Empty= +keep +nobody|#\n");
  expect(HTTP_REQUESTS, "\r\nPOST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", "POST / 1.0 Content-Length=3 +3|abc#\n");
  expect(HTTP_REQUESTS, "PUT / HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
         "PUT / 1.1 Content-Length=0 Connection=close +nobody +0|#\n");
}

static void test_pipelined(void **state) {
  expect(HTTP_REQUESTS,
         "POST /1 HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /2 HTTP/1.1\r\n\r\nPOST /3 HTTP/1.1\r\n"
         "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nGET /4 HTTP/1.1\r\n\r\n",
         "POST /1 1.1 Content-Length=2 +keep +2|ab#\nGET /2 1.1 +keep +nobody|#\n"
         "POST /3 1.1 Transfer-Encoding=chunked +keep +chunked|x#\nGET /4 1.1 +keep +nobody|#\n");
}

static void test_feed_stops_after_one_message(void **state) {
  Seen s = {.text = BUF_INIT(1 << 20)};
  HttpReader *r = http_reader_new(HTTP_REQUESTS, &HANDLERS, &s);
  const char *text = "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n";
  size_t used;
  Error err;
  assert_ok(http_reader_feed(r, text, strlen(text), &used, &err), &err);
  assert_int_equal(used, strlen(text) / 2);
  assert_string_equal(buf_str(&s.text), "GET /1 1.1 +keep +nobody|#\n");
  http_reader_free(r);
  buf_deinit(&s.text);
}

static void test_chunked(void **state) {
  expect(HTTP_RESPONSES,
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n5;name=\"v\"\r\nhe\r\nl\r\n00A ; "
         "x\r\n0123456789\r\n0\r\nX-Sum: 1\r\nEtag:\r\n\r\n",
         "200 1.1 Transfer-Encoding=Chunked +keep +chunked|he\r\nl0123456789~X-Sum=1~Etag=#\n");
}

static void test_responses_without_body(void **state) {
  expect(HTTP_RESPONSES,
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 204 No "
         "Content\r\nContent-Length: 9\r\n\r\n"
         "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
         "100 1.1 +keep +nobody|#\n103 1.1 Link=x +keep +nobody|#\n204 1.1 Content-Length=9 +keep +nobody +9|#\n"
         "304 1.1 Content-Length=9 +keep +nobody +9|#\n200 1.1 Content-Length=1 +keep +1|x#\n");
  const char *head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 "
                     "OK\r\nContent-Length: 1\r\n\r\nx";
  for (size_t step = 1; step <= strlen(head); step++)
    expect_step(HTTP_RESPONSES, true, head, step,
                "100 1.1 +keep +nobody|#\n200 1.1 Content-Length=9 +keep +nobody +9|#\n200 1.1 "
                "Content-Length=1 +keep +1|x#\n",
                true);
}

static void test_body_until_eof(void **state) {
  expect(HTTP_RESPONSES, "HTTP/1.0 200 OK\r\n\r\nabc", "200 1.0|abc#\n");
  expect(HTTP_RESPONSES, "HTTP/1.1 200\r\n\r\n", "200 1.1|#\n");
}

static void test_upgrade(void **state) {
  expect(HTTP_REQUESTS, "GET /ws HTTP/1.1\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
         "GET /ws 1.1 Connection=keep-alive, Upgrade Upgrade=websocket +keep +upgrade +nobody|#\n");
  expect(HTTP_REQUESTS, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n",
         "GET /ws 1.1 Upgrade=websocket +keep +nobody|#\n");
  Seen s = {.text = BUF_INIT(1 << 20), .stop = true};
  HttpReader *r = http_reader_new(HTTP_RESPONSES, &HANDLERS, &s);
  const char *text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x01\x02";
  size_t used;
  Error err;
  assert_ok(http_reader_feed(r, text, strlen(text), &used, &err), &err);
  assert_int_equal(used, strlen(text) - 2);
  assert_string_equal(buf_str(&s.text), "101 1.1 Upgrade=x +keep +upgrade +nobody|");
  assert_int_equal(http_reader_feed(r, text, 1, &used, &err), -1);
  http_reader_free(r);
  buf_deinit(&s.text);
}

/* As browsers read it: see http_repair.h. */
static void test_answers_of_small_programs(void **state) {
  const char *const plain = "200 1.1 A=b Content-Length=3 +keep +3|abc#\n";
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\nA: b\nContent-Length: 3\n\nabc", plain);
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\r\r\nA: b\r\r\nContent-Length: 3\r\r\n\r\r\nabc", plain);
  expect(HTTP_RESPONSES, "\r\n\nHTTP/1.1 200 OK\r\nA: b\nContent-Length: 3\r\n\r\nabc", plain);
  expect(HTTP_RESPONSES, "http/1.1 200 OK\r\nA : b\r\nContent-Length\t: 3\r\n\r\nabc", plain);
  expect(
      HTTP_RESPONSES,
      "HTTP/1.1 200 OK\r\n lost\r\nA: b\r\nno colon\r\n lost\r\nPHP Warning: x\r\n: y\r\nContent-Length: 3\r\n\r\nabc",
      plain);
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\ncontent-length:  3 \r\n 4\r\n\r\nabc", plain);
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nA: b\r\nTransfer-Encoding: Identity\r\nContent-Length: 3\r\n\r\nabc",
         plain);
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\r\nA: b\r\n  c\n\td\r\nE:\r\n f\r\nG: h\r\n \r\nContent-Length: 0\r\n\r\n",
         "200 1.1 A=b c d E=f G=h Content-Length=0 +keep +nobody +0|#\n");
  expect(HTTP_RESPONSES, "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\nabc\n1;x\r\nd\r\n0\nX-Sum: 1\n\n",
         "200 1.1 Transfer-Encoding=chunked +keep +chunked|abcd~X-Sum=1#\n");
  expect(HTTP_RESPONSES,
         "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
         "200 1.1 Content-Length=9 Transfer-Encoding=chunked +keep +chunked|a#\n");
  expect(HTTP_RESPONSES, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nabc", "200 1.0|abc#\n");
  const char *both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (size_t step = 1; step <= strlen(both); step++)
    expect_step(HTTP_RESPONSES, true, both, step,
                "200 1.1 Content-Length=9 Transfer-Encoding=chunked +keep +chunked +nobody +9|#\n", true);
}

static bool is_exact(const char *text, size_t step) {
  Seen s = {.text = BUF_INIT(1 << 20)};
  HttpReader *r = http_reader_new(HTTP_RESPONSES, &HANDLERS, &s);
  Error err;
  size_t len = strlen(text), used;
  for (size_t at = 0; at < len; at += used)
    assert_int_equal(http_reader_feed(r, text + at, len - at < step ? len - at : step, &used, &err), 0);
  bool exact = http_reader_is_exact(r);
  http_reader_free(r);
  buf_deinit(&s.text);
  return exact;
}

static void test_exact(void **state) {
  static const char *const EXACT[] = {
      "HTTP/1.1 200 OK\r\nA:b\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\na\nb\r\n0\r\nX-Sum: 1\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"};
  static const char *const MENDED[] = {
      "HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\nabc",
      "\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      "http/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: identity\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: b\r\n c\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\n0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\n",
      "HTTP/1.1 100 Continue\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
  };
  for (size_t i = 0; i < ARRAY_LEN(EXACT); i++)
    for (size_t step = 1; step <= strlen(EXACT[i]); step++)
      assert_true(is_exact(EXACT[i], step));
  for (size_t i = 0; i < ARRAY_LEN(MENDED); i++)
    for (size_t step = 1; step <= strlen(MENDED[i]); step++)
      assert_false(is_exact(MENDED[i], step));
}

static void test_eof_inside_a_message(void **state) {
  static const char *const CUT[] = {"HTTP/1.1 200", "HTTP/1.1 200 OK\r\nA: b\r\n",
                                    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
                                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
                                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"};
  for (size_t i = 0; i < ARRAY_LEN(CUT); i++) {
    Seen s = {.text = BUF_INIT(1 << 20)};
    HttpReader *r = http_reader_new(HTTP_RESPONSES, &HANDLERS, &s);
    Error err;
    size_t used;
    assert_ok(http_reader_feed(r, CUT[i], strlen(CUT[i]), &used, &err), &err);
    assert_int_equal(http_reader_eof(r, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    http_reader_free(r);
    buf_deinit(&s.text);
  }
}

static void test_questions(void **state) {
  const HttpHeader fields[] = {{"Connection", "keep-alive"}, {"connection", " X-A ,\tUpgrade"}, {"A", "1"}};
  HttpHead h = {.headers = fields, .n_headers = 3};
  assert_string_equal(http_head_get(&h, "CONNECTION"), "keep-alive");
  assert_null(http_head_get(&h, "b"));
  assert_int_equal(http_head_count(&h, "Connection"), 2);
  assert_true(http_head_has_token(&h, "Connection", "upgrade"));
  assert_true(http_head_has_token(&h, "Connection", "x-a"));
  assert_false(http_head_has_token(&h, "Connection", "x"));
  assert_false(http_list_has_token("", "x"));
  assert_string_equal(http_status_text(502), "Bad Gateway");
  assert_string_equal(http_status_text(799), "Unknown");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_requests),
      cmocka_unit_test(test_pipelined),
      cmocka_unit_test(test_feed_stops_after_one_message),
      cmocka_unit_test(test_chunked),
      cmocka_unit_test(test_responses_without_body),
      cmocka_unit_test(test_body_until_eof),
      cmocka_unit_test(test_upgrade),
      cmocka_unit_test(test_answers_of_small_programs),
      cmocka_unit_test(test_exact),
      cmocka_unit_test(test_eof_inside_a_message),
      cmocka_unit_test(test_questions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
