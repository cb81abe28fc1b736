/* How a session ends: in order, at once, by its peer, and by a handler. */
#include "lib/http2/http2_fixture.h"

#include <sys/socket.h>

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

/* A request that crosses the first GOAWAY is answered; the second names it; then it ends. */
static void test_drain_loses_nothing(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t first = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  http2_session_drain(f->server);
  int32_t second = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  assert_int_equal(f->goaways, 2);
  assert_int_equal(f->last_ids[0], INT32_MAX);
  assert_int_equal(f->last_ids[1], second);
  assert_int_equal(f->goaway_codes[0], HTTP2_NO_ERROR);
  assert_int_equal(f->goaway_codes[1], HTTP2_NO_ERROR);
  assert_false(f->ended);
  http2_stream_respond(fixture_request(f, first)->stream, 200, NULL, 0, true);
  fixture_settle(f);
  assert_false(f->ended);
  http2_stream_respond(fixture_request(f, second)->stream, 204, NULL, 0, true);
  fixture_settle(f);
  assert_true(f->ended);
  assert_string_equal(client_heads(f, first), ":status: 200\n\n");
  assert_string_equal(client_heads(f, second), ":status: 204\n\n");
  /* the client has not closed, and is not waited for without end */
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_DRAINED);
}

/* Sent when the first GOAWAY was there already, which forbids nothing. */
static void test_drain_takes_what_comes_before_the_ping_returns(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  fixture_settle(f);
  http2_session_drain(f->server);
  uint8_t payload[8];
  assert_int_equal(raw_next(f, NGHTTP2_GOAWAY, payload, 8), 8);
  assert_memory_equal(payload, "\x7f\xff\xff\xff\0\0\0\0", 8);
  /* and not ahead of it */
  assert_int_equal(raw_next(f, NGHTTP2_PING, payload, 8), 8);
  raw_get(f, 3);
  raw_frame(f, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload, 8);
  assert_int_equal(raw_next(f, NGHTTP2_GOAWAY, payload, 8), 8);
  assert_memory_equal(payload, "\0\0\0\3\0\0\0\0", 8);
  assert_int_equal(f->n_requests, 2);
}

/* A peer that does not answer the PING is not waited for. */
static void test_drain_of_a_silent_peer(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  fixture_settle(f);
  http2_session_drain(f->server);
  uint8_t payload[8];
  assert_int_equal(raw_next(f, NGHTTP2_GOAWAY, payload, 8), 8);
  assert_memory_equal(payload, "\x7f\xff\xff\xff\0\0\0\0", 8);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(raw_next(f, NGHTTP2_GOAWAY, payload, 8), 8);
  assert_memory_equal(payload, "\0\0\0\1\0\0\0\0", 8);
  /* too late: not answered, and the client knows that from the number */
  raw_get(f, 3);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 1);
}

static void test_end_now(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  http2_session_end(f->server, HTTP2_INTERNAL_ERROR);
  fixture_settle(f);
  assert_int_equal(f->goaway_codes[0], HTTP2_INTERNAL_ERROR);
  assert_int_equal(fixture_request(f, id)->closes, 1);
  assert_true(f->ended);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(f->why, HTTP2_WHY_ENDED);
}

static void test_the_peer_goes(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  client_ask(f, "GET", "/", -1);
  assert_int_equal(shutdown(f->far, SHUT_WR), 0);
  f->ended = true;
  fixture_settle(f);
  assert_int_equal(fixture_request(f, id)->closes, 1);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_CLOSED);
}

/* With its own GOAWAY: its answers still come, and it was no breach of the protocol. */
static void test_the_peer_says_goodbye(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  raw_frame(f, NGHTTP2_GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
  fixture_settle(f);
  assert_false(f->ended);
  http2_stream_respond(fixture_request(f, 1)->stream, 200, NULL, 0, true);
  fixture_settle(f);
  assert_true(f->ended);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(fixture_request(f, 1)->code, HTTP2_NO_ERROR);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_CLOSED);
}

static void test_freed_by_a_handler(void **state) {
  Fixture *f = *state;
  f->free_inside = true;
  raw_start(f);
  raw_get(f, 1);
  raw_get(f, 3);
  fixture_settle(f);
  assert_null(f->server);
  assert_int_equal(f->n_requests, 1);
  assert_int_equal(f->overs, 0);
}

static void test_not_http2(void **state) {
  Fixture *f = *state;
  raw_send(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
  assert_int_equal(raw_goaway(f), NGHTTP2_PROTOCOL_ERROR);
  assert_true(f->ended);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(f->why, HTTP2_WHY_PROTOCOL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_drain_loses_nothing),    TEST(test_drain_takes_what_comes_before_the_ping_returns),
      TEST(test_drain_of_a_silent_peer), TEST(test_end_now),
      TEST(test_the_peer_goes),          TEST(test_the_peer_says_goodbye),
      TEST(test_freed_by_a_handler),     TEST(test_not_http2),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
