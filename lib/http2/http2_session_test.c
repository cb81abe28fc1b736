/* Requests and answers through a session, with a client that keeps the rules and one that does not quite. */
#include "lib/http2/http2_fixture.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/test.h"

static const uint32_t WIDE = 1 << 20;

static int setup(void **state) {
  *state = fixture_new(NULL);
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

static void test_answer(void **state) {
  Fixture *f = *state;
  f->answers = true;
  client_start(f, WIDE);
  assert_int_equal(f->max_streams, 100);
  assert_int_equal(f->head_bytes, 64 << 10);
  assert_int_equal(f->header_table, 4 << 10);
  assert_int_equal(f->stream_window, 256 << 10);
  int32_t id = client_ask(f, "GET", "/a%20b?c=d", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  assert_string_equal(buf_str(&r->head), "GET https a.test /a%20b?c=d\n");
  assert_true(r->ended);
  assert_string_equal(client_heads(f, id), ":status: 200\n\n");
  assert_string_equal(buf_str(&client_answer(f, id)->body), "ok");
  assert_true(client_answer(f, id)->closed);
  assert_int_equal(r->closes, 1);
  assert_int_equal(r->code, HTTP2_NO_ERROR);
  assert_int_equal(http2_session_streams(f->server), 0);
  assert_int_equal(http2_session_kept(f->server), 0);
}

static void test_interim_trailers_and_names(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "POST", "/", 3);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  assert_string_equal(buf_str(&r->body), "bbb");
  assert_true(r->ended);
  const Http2Field hint = {"Link", "</a>"}, type = {"Content-Type", "text/Plain"}, trailer = {"Grpc-Status", "0"};
  http2_stream_interim(r->stream, 103, &hint, 1);
  fixture_settle(f);
  assert_string_equal(client_heads(f, id), ":status: 103\nlink: </a>\n\n");
  http2_stream_respond(r->stream, 404, &type, 1, false);
  http2_stream_interim(r->stream, 103, &hint, 1);
  http2_stream_write(r->stream, "no", 2);
  http2_stream_finish(r->stream, &trailer, 1);
  http2_stream_write(r->stream, "more", 4);
  fixture_settle(f);
  assert_string_equal(client_heads(f, id),
                      ":status: 103\nlink: </a>\n\n:status: 404\ncontent-type: text/Plain\n\ngrpc-status: 0\n\n");
  assert_string_equal(buf_str(&client_answer(f, id)->body), "no");
  assert_int_equal(r->closes, 1);
}

static void test_head_alone(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t head = client_ask(f, "HEAD", "/", -1), trailers = client_ask(f, "POST", "/", 0);
  fixture_settle(f);
  const Http2Field length = {"content-length", "7"}, status = {"grpc-status", "5"};
  http2_stream_respond(fixture_request(f, head)->stream, 200, &length, 1, true);
  http2_stream_respond(fixture_request(f, trailers)->stream, 200, NULL, 0, false);
  http2_stream_finish(fixture_request(f, trailers)->stream, &status, 1);
  fixture_settle(f);
  assert_string_equal(client_heads(f, head), ":status: 200\ncontent-length: 7\n\n");
  assert_string_equal(client_heads(f, trailers), ":status: 200\n\ngrpc-status: 5\n\n");
  assert_true(client_answer(f, head)->closed);
  assert_true(client_answer(f, trailers)->closed);
}

/* As large as HTTP/1.1's may be, also behind the body. */
static void test_large_heads(void **state) {
  static char value[646];
  Http2Field fields[100];
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t head = client_ask(f, "GET", "/", -1), trailers = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  memset(value, 'v', sizeof value - 1);
  for (size_t i = 0; i < ARRAY_LEN(fields); i++)
    fields[i] = (Http2Field){"x-a", value};
  http2_stream_respond(fixture_request(f, head)->stream, 200, fields, ARRAY_LEN(fields), true);
  http2_stream_respond(fixture_request(f, trailers)->stream, 200, NULL, 0, false);
  http2_stream_finish(fixture_request(f, trailers)->stream, fields, ARRAY_LEN(fields));
  fixture_settle(f);
  assert_in_range(client_answer(f, head)->heads.len, sizeof value * ARRAY_LEN(fields), 64 << 10);
  assert_in_range(client_answer(f, trailers)->heads.len, sizeof value * ARRAY_LEN(fields), 64 << 10);
  assert_int_equal(fixture_request(f, head)->closes, 1);
  assert_int_equal(fixture_request(f, trailers)->closes, 1);
  assert_int_equal(fixture_request(f, trailers)->code, HTTP2_NO_ERROR);
}

/* What cannot be said ends the stream, so that nobody waits for it. */
static void test_heads_too_large_to_send(void **state) {
  static char value[60000];
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t head = client_ask(f, "GET", "/", -1), trailers = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  memset(value, 'v', sizeof value - 1);
  const Http2Field fields[] = {{"x-a", value}, {"x-b", value}, {"x-c", value}, {"x-d", value}, {"x-e", value}};
  http2_stream_respond(fixture_request(f, head)->stream, 200, fields, ARRAY_LEN(fields), true);
  http2_stream_respond(fixture_request(f, trailers)->stream, 200, NULL, 0, false);
  http2_stream_finish(fixture_request(f, trailers)->stream, fields, ARRAY_LEN(fields));
  fixture_settle(f);
  assert_int_equal(client_answer(f, head)->code, NGHTTP2_INTERNAL_ERROR);
  assert_int_equal(client_answer(f, trailers)->code, NGHTTP2_INTERNAL_ERROR);
  assert_int_equal(fixture_request(f, head)->closes, 1);
  assert_int_equal(fixture_request(f, trailers)->closes, 1);
  assert_int_equal(http2_session_kept(f->server), 0);
  assert_int_equal(f->overs, 0);
}

static void test_cookies_are_joined_and_trailers_told(void **state) {
  Fixture *f = *state;
  raw_start(f);
  CLEANUP(buf_deinit) Buf head = {0}, trailers = {0};
  raw_field(&head, ":method", "POST");
  raw_field(&head, ":scheme", "http");
  raw_field(&head, ":path", "/");
  raw_field(&head, "host", "b.test:80");
  raw_field(&head, "cookie", "a=1");
  raw_field(&head, "x-one", "1");
  raw_field(&head, "cookie", "b=2");
  raw_field(&trailers, "x-sum", "9");
  raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, head.data, head.len);
  raw_frame(f, NGHTTP2_DATA, 0, 1, "body", 4);
  raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 1, trailers.data, trailers.len);
  fixture_settle(f);
  Request *r = fixture_request(f, 1);
  assert_string_equal(buf_str(&r->head), "POST http b.test:80 /\ncookie: a=1; b=2\nx-one: 1\n");
  assert_string_equal(buf_str(&r->body), "body|x-sum: 9");
}

/* What RFC 9113 8.1 to 8.3 call malformed: the stream is reset and no owner hears of it. */
static void test_malformed(void **state) {
  static const char *const FIELDS[][2] = {
      {"X-Upper", "1"},       {"connection", "close"}, {"transfer-encoding", "chunked"}, {"te", "gzip"},
      {"upgrade", "h2c"},     {"keep-alive", "1"},     {"proxy-connection", ""},         {":path", "/again"},
      {":unknown", "1"},      {"x-nul", "a\x01"},      {"x-line", "a\r\nb: c"},          {"x y", "1"},
      {"host", "other.test"}, {"content-length", "1"}, {"content-length", "0, 1"},
  };
  Fixture *f = *state;
  raw_start(f);
  for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
    raw_head(f, (int32_t)(2 * i + 1), NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, FIELDS[i][0], FIELDS[i][1]);
    if (raw_reset(f) != NGHTTP2_PROTOCOL_ERROR)
      fail_msg("%s: %s was taken", FIELDS[i][0], FIELDS[i][1]);
    assert_int_equal(f->n_requests, 0);
  }
  raw_get(f, 101);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 1);
}

/* Its bytes go to a program behind HTTP/1.1, where a blank or a line end would be another request. */
static void test_paths(void **state) {
  static const char *const PATHS[] = {"/a b", "/a\tb", "/a\r\nX: y", "", "a", "/a\x7f"};
  Fixture *f = *state;
  raw_start(f);
  for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
    CLEANUP(buf_deinit) Buf head = {0};
    raw_field(&head, ":method", "GET");
    raw_field(&head, ":scheme", "http");
    raw_field(&head, ":path", PATHS[i]);
    raw_field(&head, ":authority", "a.test");
    raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, (int32_t)(2 * i + 1), head.data,
              head.len);
    if (raw_reset(f) != NGHTTP2_PROTOCOL_ERROR)
      fail_msg("path %zu was taken", i);
  }
  assert_int_equal(f->n_requests, 0);
}

static void test_length_is_held_against_the_body(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_head(f, 1, NGHTTP2_FLAG_END_HEADERS, "content-length", "3");
  raw_frame(f, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, "four", 4);
  assert_int_equal(raw_reset(f), NGHTTP2_PROTOCOL_ERROR);
  Request *r = fixture_request(f, 1);
  assert_false(r->ended);
  assert_int_equal(r->closes, 1);
  assert_int_equal(r->code, NGHTTP2_PROTOCOL_ERROR);
}

static void test_a_body_waits_for_its_owner(void **state) {
  Fixture *f = *state;
  f->takes = false;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "PUT", "/", 2 << 20);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  assert_int_equal(r->shown, f->stream_window);
  http2_stream_took(r->stream, r->shown);
  f->takes = true;
  fixture_settle(f);
  assert_true(r->shown == 2 << 20);
  assert_true(r->ended);
}

/* And one whose owner has gone does not keep the others' window. */
static void test_dropped_bodies_give_their_window_back(void **state) {
  Fixture *f = *state;
  f->takes = false;
  client_start(f, WIDE);
  for (int i = 0; i < 12; i++) {
    int32_t id = client_ask(f, "PUT", "/", 2 << 20);
    fixture_settle(f);
    Request *r = fixture_request(f, id);
    assert_int_equal(r->shown, f->stream_window);
    http2_stream_reset(r->stream, HTTP2_CANCEL);
    fixture_settle(f);
    assert_true(client_answer(f, id)->closed);
    assert_int_equal(client_answer(f, id)->code, HTTP2_CANCEL);
    assert_int_equal(r->closes, 0);
  }
}

static void test_an_early_answer_ends_the_request(void **state) {
  Fixture *f = *state;
  f->takes = false;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "PUT", "/", 2 << 20);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  http2_stream_respond(r->stream, 413, NULL, 0, true);
  fixture_settle(f);
  assert_string_equal(client_heads(f, id), ":status: 413\n\n");
  assert_true(client_answer(f, id)->closed);
  assert_int_equal(client_answer(f, id)->code, HTTP2_NO_ERROR);
  assert_int_equal(r->closes, 1);
  assert_int_equal(f->resets, 1);
}

static void test_an_answer_waits_for_its_reader(void **state) {
  static uint8_t piece[64 << 10];
  Fixture *f = *state;
  client_start(f, 0);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  int pieces = 0;
  for (; !http2_stream_is_full(r->stream); pieces++)
    http2_stream_write(r->stream, piece, sizeof piece);
  assert_int_equal(pieces, STREAM_HIGH / sizeof piece);
  fixture_settle(f);
  assert_int_equal(r->drains, 0);
  assert_int_equal(http2_stream_pending(r->stream), STREAM_HIGH);
  assert_in_range(http2_session_kept(f->server), STREAM_HIGH, STREAM_HIGH + 1000);
  nghttp2_submit_window_update(f->client, NGHTTP2_FLAG_NONE, id, STREAM_HIGH);
  fixture_settle(f);
  assert_int_equal(r->drains, 1);
  assert_false(http2_stream_is_full(r->stream));
  http2_stream_finish(r->stream, NULL, 0);
  fixture_settle(f);
  assert_int_equal(client_answer(f, id)->body.len, STREAM_HIGH);
  assert_true(client_answer(f, id)->closed);
}

static void test_the_peer_resets(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  nghttp2_submit_rst_stream(f->client, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  fixture_settle(f);
  assert_int_equal(r->closes, 1);
  assert_int_equal(r->code, HTTP2_CANCEL);
  assert_int_equal(http2_session_streams(f->server), 0);
}

static void test_a_hundred_at_once(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  for (int i = 0; i < 100; i++)
    client_ask(f, "POST", "/", 100000);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 100);
  LIST_EACH(Request, r, &f->requests, link) {
    assert_true(r->ended);
    assert_int_equal(r->shown, 100000);
    http2_stream_respond(r->stream, 200, NULL, 0, false);
    http2_stream_write(r->stream, r->body.data, r->body.len);
    http2_stream_finish(r->stream, NULL, 0);
  }
  fixture_settle(f);
  for (int i = 0; i < 100; i++)
    assert_int_equal(client_answer(f, 2 * i + 1)->body.len, 100000);
  assert_int_equal(http2_session_kept(f->server), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_answer),
      TEST(test_interim_trailers_and_names),
      TEST(test_head_alone),
      TEST(test_large_heads),
      TEST(test_heads_too_large_to_send),
      TEST(test_cookies_are_joined_and_trailers_told),
      TEST(test_malformed),
      TEST(test_paths),
      TEST(test_length_is_held_against_the_body),
      TEST(test_a_body_waits_for_its_owner),
      TEST(test_dropped_bodies_give_their_window_back),
      TEST(test_an_early_answer_ends_the_request),
      TEST(test_an_answer_waits_for_its_reader),
      TEST(test_the_peer_resets),
      TEST(test_a_hundred_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
