/* A client's requests against servers that keep the rules, and against others. */
#include "lib/http2/http2_client.h"

#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/test.h"
#include "lib/http2/http2_fixture.h"

enum { END = NGHTTP2_FLAG_END_STREAM };

static Fixture *greeted(int64_t max_streams) {
  Fixture *f = fixture_new_client(NULL);
  raw_greet(f, max_streams);
  return f;
}

static int setup(void **state) {
  *state = greeted(-1);
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

static void assert_over(Fixture *f, int64_t code, Http2Why why) {
  int64_t said = raw_goaway(f);
  if (f->server)
    fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.farewell_ms);
  assert_int_equal(said, code);
  assert_int_equal(f->overs, 1);
  assert_string_equal(http2_why_name(f->why), http2_why_name(why));
  LIST_EACH(Ask, a, &f->asks, link) assert_int_equal(a->closes, 1);
}

/* ---- Answers ---- */

static void test_answer_with_trailers(void **state) {
  Fixture *f = *state;
  assert_true(http2_client_has_room(f->server));
  Ask *a = fixture_ask(f, "/a", "question");
  http2_stream_finish(a->stream, NULL, 0);
  fixture_settle(f);
  assert_true(http2_client_is_sent(a->stream));
  raw_answer(f, 1, END, "404", NULL, NULL);
  fixture_settle(f);
  assert_int_equal(a->status, 404);
  assert_true(a->ended);
  assert_int_equal(a->closes, 1);
  Ask *b = fixture_ask(f, "/b", NULL);
  fixture_settle(f);
  raw_answer(f, 3, 0, "103", "link", "</x>");
  raw_answer(f, 3, 0, "200", "content-type", "x");
  raw_frame(f, NGHTTP2_DATA, 0, 3, "answer", 6);
  raw_trailer(f, 3, "grpc-status", "0");
  fixture_settle(f);
  assert_int_equal(b->status, 200);
  assert_string_equal(buf_str(&b->head), "content-type: x\n");
  assert_string_equal(buf_str(&b->body), "answer|grpc-status: 0");
  assert_true(b->ended);
  assert_int_equal(b->closes, 1);
  assert_int_equal(b->code, HTTP2_NO_ERROR);
  assert_false(b->lost);
  assert_int_equal(http2_session_streams(f->server), 0);
}

static void test_an_answer_is_not_shown_beyond_its_window(void **state) {
  static uint8_t block[16 << 10];
  Fixture *f = *state;
  f->takes = false;
  Ask *a = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  raw_answer(f, 1, 0, "200", NULL, NULL);
  for (int i = 0; i < 4; i++)
    raw_frame(f, NGHTTP2_DATA, 0, 1, block, sizeof block);
  fixture_settle(f);
  assert_int_equal(a->body.len, 64 << 10);
  uint8_t payload[8];
  f->in.len = 0;
  assert_int_equal(raw_next(f, NGHTTP2_WINDOW_UPDATE, payload, sizeof payload), -1);
  http2_stream_took(a->stream, 64 << 10);
  assert_int_equal(raw_next(f, NGHTTP2_WINDOW_UPDATE, payload, sizeof payload), 4);
  raw_frame(f, NGHTTP2_DATA, 0, 1, block, sizeof block);
  for (int i = 0; i < 4; i++)
    raw_frame(f, NGHTTP2_DATA, 0, 1, block, sizeof block);
  fixture_settle(f);
  /* one byte too many ends it: FLOW_CONTROL_ERROR of the stream or of the session */
  assert_true(a->closes == 1 || f->overs == 1);
}

static void test_a_request_waits_for_the_window(void **state) {
  Fixture *f = *state;
  char *body = xmalloc((200 << 10) + 1);
  memset(body, 'q', 200 << 10);
  body[200 << 10] = 0;
  Ask *a = fixture_ask(f, "/", body);
  http2_stream_write(a->stream, body, 200 << 10);
  free(body);
  assert_true(http2_stream_is_full(a->stream));
  http2_stream_finish(a->stream, NULL, 0);
  fixture_settle(f);
  assert_int_equal(http2_stream_pending(a->stream), (400 << 10) - 65535);
  assert_int_equal(a->drains, 0);
  uint8_t more[4] = {0, 0x10, 0, 0};
  raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 0, more, 4);
  raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 1, more, 4);
  fixture_settle(f);
  assert_int_equal(http2_stream_pending(a->stream), 0);
  assert_int_equal(a->drains, 1);
  assert_true(http2_client_is_sent(a->stream));
}

static void test_no_window_for_a_minute(void **state) {
  Fixture *f = *state;
  char *body = xmalloc((100 << 10) + 1);
  memset(body, 'q', 100 << 10);
  body[100 << 10] = 0;
  Ask *a = fixture_ask(f, "/", body);
  free(body);
  fixture_settle(f);
  for (int i = 0; i < 6 && a->closes == 0; i++) {
    fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.ping_ms - 1);
    raw_frame(f, NGHTTP2_PING, 0, 0, "12345678", 8);
    fixture_settle(f);
  }
  assert_int_equal(a->closes, 1);
  assert_int_equal(a->code, HTTP2_CANCEL);
  assert_int_equal(f->overs, 0);
}

static void test_free_inside(void **state) {
  Fixture *f = *state;
  f->free_inside = true;
  fixture_ask(f, "/", NULL);
  fixture_settle(f);
  raw_answer(f, 1, END, "200", NULL, NULL);
  fixture_settle(f);
  assert_null(f->server);
  assert_true(f->ended);
}

/* ---- What was not processed ---- */

static void test_refused(void **state) {
  Fixture *f = *state;
  Ask *refused = fixture_ask(f, "/", NULL), *cut = fixture_ask(f, "/", NULL), *ended = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  raw_answer(f, 5, 0, "200", NULL, NULL);
  raw_rst(f, 5, HTTP2_NO_ERROR);
  raw_rst(f, 1, HTTP2_REFUSED_STREAM);
  raw_rst(f, 3, HTTP2_INTERNAL_ERROR);
  fixture_settle(f);
  assert_int_equal(refused->code, HTTP2_REFUSED_STREAM);
  assert_int_equal(cut->code, HTTP2_INTERNAL_ERROR);
  /* half an answer is none */
  assert_int_equal(ended->code, HTTP2_INTERNAL_ERROR);
  assert_false(cut->lost);
}

/* Above the last id: refused. The others are answered, and then both close. */
static void test_leaving(void **state) {
  Fixture *f = *state;
  Ask *kept = fixture_ask(f, "/", NULL), *above = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  raw_leave(f, INT32_MAX, HTTP2_NO_ERROR);
  Ask *late = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  assert_true(http2_client_is_leaving(f->server));
  assert_false(http2_client_has_room(f->server));
  /* begun before the client heard of it, not sent yet or sent: then it is answered, or refused by the second one */
  raw_leave(f, 1, HTTP2_NO_ERROR);
  fixture_settle(f);
  assert_int_equal(above->code, HTTP2_REFUSED_STREAM);
  assert_int_equal(late->code, HTTP2_REFUSED_STREAM);
  assert_int_equal(kept->closes, 0);
  raw_answer(f, 1, END, "200", NULL, NULL);
  fixture_settle(f);
  assert_int_equal(kept->status, 200);
  assert_int_equal(kept->code, HTTP2_NO_ERROR);
  assert_true(f->ended);
  fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.farewell_ms);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_CLOSED);
}

static void test_a_request_that_meets_the_goaway_in_the_queue(void **state) {
  Fixture *f = *state;
  raw_leave(f, INT32_MAX, HTTP2_NO_ERROR);
  Ask *a = fixture_ask(f, "/", "body");
  fixture_settle(f);
  assert_int_equal(a->closes, 1);
  assert_int_equal(a->code, HTTP2_REFUSED_STREAM);
}

/* What the socket never took cannot have been read; of the rest nobody knows. */
static void test_the_connection_breaks(void **state) {
  Fixture *f = *state;
  Ask *sent = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  shutdown(f->far, SHUT_RDWR);
  Ask *unsent = fixture_ask(f, "/", NULL);
  http2_session_end(f->server, HTTP2_NO_ERROR);
  fixture_settle(f);
  assert_int_equal(sent->closes, 1);
  assert_int_equal(sent->code, HTTP2_CANCEL);
  assert_true(sent->lost);
  assert_int_equal(unsent->closes, 1);
  assert_int_equal(unsent->code, HTTP2_REFUSED_STREAM);
  assert_int_equal(f->overs, 1);
}

static void test_reset_by_the_owner(void **state) {
  Fixture *f = *state;
  Ask *sent = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  Ask *unsent = fixture_ask(f, "/", NULL);
  http2_stream_reset(sent->stream, HTTP2_CANCEL);
  http2_stream_reset(unsent->stream, HTTP2_CANCEL);
  sent->stream = unsent->stream = NULL;
  assert_int_equal(raw_reset(f), HTTP2_CANCEL);
  assert_int_equal(raw_reset(f), -1);
  raw_answer(f, 1, END, "200", NULL, NULL);
  fixture_settle(f);
  assert_int_equal(sent->closes + unsent->closes + sent->status, 0);
  assert_int_equal(http2_session_streams(f->server), 0);
  assert_int_equal(f->overs, 0);
}

/* ---- Room ---- */

static void test_room(void **state) {
  Fixture *f = fixture_new_client(NULL);
  fixture_settle(f);
  assert_false(http2_client_has_room(f->server));
  raw_greet(f, 2);
  assert_true(f->changes > 0);
  fixture_ask(f, "/", NULL);
  assert_true(http2_client_has_room(f->server));
  fixture_ask(f, "/", NULL);
  assert_false(http2_client_has_room(f->server));
  assert_false(http2_client_is_leaving(f->server));
  fixture_settle(f);
  int before = f->changes;
  raw_answer(f, 1, END, "200", NULL, NULL);
  fixture_settle(f);
  assert_true(f->changes > before);
  assert_true(http2_client_has_room(f->server));
  fixture_free(f);
}

static void test_no_settings(void **state) {
  Fixture *f = fixture_new_client(NULL);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.head_ms);
  assert_over(f, HTTP2_ENHANCE_YOUR_CALM, HTTP2_WHY_HEAD_TIME);
  fixture_free(f);
}

/* ---- Time ---- */

static void test_keep_alive(void **state) {
  Fixture *f = *state;
  uint8_t payload[8];
  fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.ping_ms - HTTP2_CLIENT_DEFAULTS.ping_wait_ms);
  for (int i = 0; i < 3; i++) {
    fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.ping_wait_ms);
    assert_int_equal(raw_next(f, NGHTTP2_PING, payload, sizeof payload), -1);
    fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.ping_ms);
    assert_int_equal(raw_next(f, NGHTTP2_PING, payload, sizeof payload), 8);
    raw_frame(f, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload, 8);
    fixture_settle(f);
  }
  assert_int_equal(f->overs, 0);
  Ask *a = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  fixture_pass_time(f, 2 * HTTP2_CLIENT_DEFAULTS.ping_ms + HTTP2_CLIENT_DEFAULTS.ping_wait_ms);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_SILENT);
  assert_true(a->lost);
}

static void test_a_head_that_does_not_end(void **state) {
  Fixture *f = *state;
  fixture_ask(f, "/", NULL);
  fixture_settle(f);
  raw_frame(f, NGHTTP2_HEADERS, 0, 1, "\x88", 1);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_CLIENT_DEFAULTS.head_ms);
  assert_over(f, HTTP2_ENHANCE_YOUR_CALM, HTTP2_WHY_HEAD_TIME);
}

/* ---- Floods ---- */

static void test_a_head_too_large(void **state) {
  static char value[8000];
  Fixture *f = *state;
  Ask *a = fixture_ask(f, "/", NULL);
  fixture_settle(f);
  memset(value, 'v', sizeof value - 1);
  CLEANUP(buf_deinit) Buf head = {0};
  raw_field(&head, ":status", "200");
  raw_field(&head, "x-a", value);
  raw_frame(f, NGHTTP2_HEADERS, 0, 1, head.data, head.len);
  for (int i = 0; i < 5; i++) {
    head.len = 0;
    raw_field(&head, "x-a", value);
    raw_field(&head, "x-a", value);
    raw_frame(f, NGHTTP2_CONTINUATION, i == 4 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, head.data, head.len);
  }
  fixture_settle(f);
  assert_int_equal(a->status, 0);
  assert_int_equal(a->closes, 1);
  assert_int_equal(a->code, HTTP2_ENHANCE_YOUR_CALM);
  assert_int_equal(f->overs, 0);
}

static void test_interim_heads_without_end(void **state) {
  Fixture *f = *state;
  fixture_ask(f, "/", NULL);
  fixture_settle(f);
  for (int i = 0; i < 1000 && f->overs == 0 && f->server; i++)
    raw_answer(f, 1, 0, "103", NULL, NULL);
  assert_over(f, HTTP2_ENHANCE_YOUR_CALM, HTTP2_WHY_EMPTY);
}

static void test_floods(void **state) {
  static const struct {
    uint8_t type;
    int32_t id;
    size_t len;
    Http2Why why;
  } FRAMES[] = {
      {NGHTTP2_PING, 0, 8, HTTP2_WHY_PINGS},
      {NGHTTP2_SETTINGS, 0, 0, HTTP2_WHY_SETTINGS},
      {NGHTTP2_WINDOW_UPDATE, 0, 4, HTTP2_WHY_WINDOW_UPDATES},
      {0x77, 0, 0, HTTP2_WHY_EMPTY},
  };
  for (size_t i = 0; i < ARRAY_LEN(FRAMES); i++) {
    Fixture *f = greeted(-1);
    fixture_ask(f, "/", NULL);
    fixture_settle(f);
    for (int n = 0; n < 1200 && f->server; n++)
      raw_frame(f, FRAMES[i].type, 0, FRAMES[i].id, "\0\0\0\1\0\0\0", FRAMES[i].len);
    assert_over(f, HTTP2_ENHANCE_YOUR_CALM, FRAMES[i].why);
    fixture_free(f);
  }
}

/* A server that refuses for ever is not one that floods: nothing is asked of it unasked. */
static void test_each_request_may_be_reset_once(void **state) {
  Fixture *f = *state;
  for (int32_t id = 1; id < 6001; id += 2) {
    Ask *a = fixture_ask(f, "/", NULL);
    fixture_settle(f);
    raw_rst(f, id, HTTP2_REFUSED_STREAM);
    fixture_settle(f);
    assert_int_equal(a->closes, 1);
  }
  assert_int_equal(f->overs, 0);
  for (int i = 0; i < 1200 && f->server; i++)
    raw_rst(f, 1, HTTP2_REFUSED_STREAM);
  assert_over(f, HTTP2_ENHANCE_YOUR_CALM, HTTP2_WHY_RESETS);
}

static void test_breaking_the_rules(void **state) {
  static const struct {
    uint8_t type;
    int32_t id;
    const char *payload;
    size_t len;
  } FRAMES[] = {
      {NGHTTP2_PUSH_PROMISE, 1, "\0\0\0\2\x82", 5}, /* of what nobody asked */
      {NGHTTP2_HEADERS, 2, "\x88", 1},              /* a stream of the server's own */
      {NGHTTP2_HEADERS, 3, "\x88", 1},              /* an answer to nothing */
      {NGHTTP2_DATA, 0, "x", 1},
      {NGHTTP2_GOAWAY, 1, "\0\0\0\0\0\0\0\0", 8},
  };
  for (size_t i = 0; i < ARRAY_LEN(FRAMES); i++) {
    Fixture *f = greeted(-1);
    fixture_ask(f, "/", NULL);
    fixture_settle(f);
    raw_frame(f, FRAMES[i].type, NGHTTP2_FLAG_END_HEADERS, FRAMES[i].id, FRAMES[i].payload, FRAMES[i].len);
    assert_over(f, NGHTTP2_PROTOCOL_ERROR, HTTP2_WHY_PROTOCOL);
    fixture_free(f);
  }
}

/* Malformed answers end their stream alone. */
static void test_malformed(void **state) {
  static const char *const FIELDS[][3] = {
      {"99", NULL, NULL},  {"abc", NULL, NULL},     {"101", NULL, NULL},   {"200", "connection", "close"},
      {"200", "x y", "1"}, {"200", "X-Upper", "1"}, {"200", ":path", "/"}, {"200", "x-nul", "a\1b"},
  };
  Fixture *f = *state;
  for (size_t i = 0; i < ARRAY_LEN(FIELDS); i++) {
    Ask *a = fixture_ask(f, "/", NULL);
    fixture_settle(f);
    raw_answer(f, (int32_t)(2 * i + 1), 0, FIELDS[i][0], FIELDS[i][1], FIELDS[i][2]);
    fixture_settle(f);
    assert_int_equal(a->status, 0);
    assert_int_equal(a->closes, 1);
    assert_int_not_equal(a->code, HTTP2_NO_ERROR);
    assert_int_not_equal(a->code, HTTP2_REFUSED_STREAM);
  }
  assert_int_equal(f->overs, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_answer_with_trailers, setup, teardown),
      cmocka_unit_test_setup_teardown(test_an_answer_is_not_shown_beyond_its_window, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_request_waits_for_the_window, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_window_for_a_minute, setup, teardown),
      cmocka_unit_test_setup_teardown(test_free_inside, setup, teardown),
      cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(test_leaving, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_request_that_meets_the_goaway_in_the_queue, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_connection_breaks, setup, teardown),
      cmocka_unit_test_setup_teardown(test_reset_by_the_owner, setup, teardown),
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_no_settings),
      cmocka_unit_test_setup_teardown(test_keep_alive, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_head_that_does_not_end, setup, teardown),
      cmocka_unit_test_setup_teardown(test_a_head_too_large, setup, teardown),
      cmocka_unit_test_setup_teardown(test_interim_heads_without_end, setup, teardown),
      cmocka_unit_test(test_floods),
      cmocka_unit_test_setup_teardown(test_each_request_may_be_reset_once, setup, teardown),
      cmocka_unit_test(test_breaking_the_rules),
      cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
