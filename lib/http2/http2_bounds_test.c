/* Each bound of Http2Config, by a peer that tries to pass it: the session refuses or ends, says which bound it was, and
 * keeps no more than it says. */
#include "lib/http2/http2_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/test.h"
#include "lib/http2/http2_ended_fixture.h"

static const uint32_t WIDE = 1 << 20;

static int setup(void **state) {
  *state = fixture_new(NULL);
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

/* ---- Heads ---- */

static void test_head_of_many_bytes(void **state) {
  Fixture *f = *state;
  char value[12000];
  raw_start(f);
  memset(value, 'v', sizeof value);
  value[sizeof value - 1] = 0;
  raw_head(f, 1, NGHTTP2_FLAG_END_STREAM, "x-0", value);
  for (int i = 1; i < 6; i++) {
    CLEANUP(buf_deinit) Buf more = {0};
    raw_field(&more, "x-more", value);
    raw_frame(f, NGHTTP2_CONTINUATION, i == 5 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, more.data, more.len);
  }
  fixture_settle(f);
  assert_int_equal(f->n_requests, 0);
  assert_int_equal(f->refused[HTTP2_WHY_HEAD_BYTES], 1);
  assert_true(f->server != NULL);
  /* the others go on */
  raw_get(f, 3);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 1);
}

static void test_head_of_many_bytes_is_answered(void **state) {
  Fixture *f = *state;
  client_start(f, WIDE);
  static uint8_t value[3000];
  memset(value, 'v', sizeof value);
  nghttp2_nv many[4 + 40] = {
      {(uint8_t *)":method", (uint8_t *)"PUT", 7, 3, 0},
      {(uint8_t *)":scheme", (uint8_t *)"http", 7, 4, 0},
      {(uint8_t *)":authority", (uint8_t *)"a", 10, 1, 0},
      {(uint8_t *)":path", (uint8_t *)"/", 5, 1, 0},
  };
  for (size_t i = 4; i < ARRAY_LEN(many); i++)
    many[i] = (nghttp2_nv){(uint8_t *)"x-a", value, 3, sizeof value, 0};
  int32_t id = nghttp2_submit_request(f->client, NULL, many, ARRAY_LEN(many), NULL, NULL);
  assert_true(id > 0);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 0);
  assert_string_equal(client_heads(f, id), ":status: 431\ncontent-length: 0\n\n");
  assert_true(client_answer(f, id)->closed);
  assert_int_equal(http2_session_kept(f->server), 0);
}

static void test_head_of_many_fields(void **state) {
  Fixture *f = *state;
  raw_start(f);
  CLEANUP(buf_deinit) Buf more = {0};
  for (uint32_t i = 0; i <= HTTP2_DEFAULTS.max_fields; i++)
    raw_field(&more, "x", "1");
  raw_head(f, 1, NGHTTP2_FLAG_END_STREAM, NULL, NULL);
  raw_frame(f, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, more.data, more.len);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 0);
  assert_int_equal(f->refused[HTTP2_WHY_HEAD_BYTES], 1);
}

/* One byte on the line for each 4 KiB unpacked. */
static void test_head_that_is_packed_small(void **state) {
  Fixture *f = *state;
  char value[4000];
  raw_start(f);
  memset(value, 'v', sizeof value);
  value[sizeof value - 1] = 0;
  CLEANUP(buf_deinit) Buf head = {0};
  raw_field(&head, "x", value);
  head.data[0] = 0x40; /* into the table */
  size_t room = (16 << 10) - head.len;
  uint8_t *refs = buf_reserve(&head, room);
  memset(refs, 0x80 | 62, room);
  head.len += room;
  raw_head(f, 1, NGHTTP2_FLAG_END_STREAM, NULL, NULL);
  raw_frame(f, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, head.data, head.len);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 0);
  assert_int_equal(f->refused[HTTP2_WHY_HEAD_BYTES], 1);
}

static void test_table_of_the_peers_choice(void **state) {
  Fixture *f = *state;
  raw_start(f);
  /* HPACK: a new size of the table, 1 MiB */
  raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\x3f\xe1\xff\x3f", 4);
  assert_ended(f, NGHTTP2_COMPRESSION_ERROR, HTTP2_WHY_PROTOCOL);
}

static void test_continuations(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_head(f, 1, NGHTTP2_FLAG_END_STREAM, NULL, NULL);
  for (int i = 0; i < 100 && f->server; i++)
    raw_frame(f, NGHTTP2_CONTINUATION, 0, 1, NULL, 0);
  assert_calmed(f, HTTP2_WHY_CONTINUATIONS);
}

/* ---- Streams ---- */

static void test_streams_at_once(void **state) {
  Fixture *f = *state;
  raw_start(f);
  for (int32_t i = 0; i < 100; i++)
    raw_get(f, 2 * i + 1);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 100);
  /* it was told, and has said so */
  raw_get(f, 201);
  assert_ended(f, NGHTTP2_PROTOCOL_ERROR, HTTP2_WHY_PROTOCOL);
}

static void test_streams_at_once_before_it_is_told(void **state) {
  Fixture *f = *state;
  raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
  for (int32_t i = 0; i < 101; i++)
    raw_get(f, 2 * i + 1);
  assert_int_equal(raw_reset(f), NGHTTP2_REFUSED_STREAM);
  assert_int_equal(f->n_requests, 100);
  assert_int_equal(f->refused[HTTP2_WHY_STREAMS], 1);
}

static void test_bytes_of_a_session(void **state) {
  Http2Config config = HTTP2_DEFAULTS;
  config.max_kept = 30000;
  Fixture *f = fixture_new(&config);
  char value[8000];
  raw_start(f);
  memset(value, 'v', sizeof value);
  value[sizeof value - 1] = 0;
  for (int32_t i = 0; i < 8; i++)
    raw_head(f, 2 * i + 1, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, "x", value);
  assert_int_equal(raw_reset(f), NGHTTP2_REFUSED_STREAM);
  assert_int_equal(f->n_requests, 4);
  assert_int_equal(f->refused[HTTP2_WHY_KEPT], 4);
  assert_in_range(http2_session_kept(f->server), 30001, 30000 + 9000);
  /* what is answered makes room */
  LIST_EACH(Request, r, &f->requests, link) http2_stream_respond(r->stream, 200, NULL, 0, true);
  fixture_settle(f);
  raw_get(f, 101);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 5);
  fixture_free(f);
}

/* Of a hundred answers that nobody takes, all share what one session may hold. */
static void test_answers_nobody_takes(void **state) {
  static uint8_t piece[16 << 10];
  Fixture *f = *state;
  client_start(f, 0);
  for (int i = 0; i < 100; i++)
    client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  LIST_EACH(Request, r, &f->requests, link) {
    http2_stream_respond(r->stream, 200, NULL, 0, false);
    while (!http2_stream_is_full(r->stream))
      http2_stream_write(r->stream, piece, sizeof piece);
  }
  fixture_settle(f);
  assert_in_range(http2_session_kept(f->server), 1 << 20, HTTP2_DEFAULTS.max_kept);
}

/* ---- Time ---- */

static void test_no_head_at_all(void **state) {
  Fixture *f = *state;
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.head_ms - 1);
  assert_int_equal(f->overs, 0);
  fixture_pass_time(f, 1);
  assert_calmed(f, HTTP2_WHY_HEAD_TIME);
}

/* It speaks HTTP/2 and asks for nothing: it is told in order, and may come again. */
static void test_no_first_head(void **state) {
  Fixture *f = *state;
  raw_start(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.head_ms);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_ended(f, NGHTTP2_NO_ERROR, HTTP2_WHY_HEAD_TIME);
}

static void test_a_head_that_does_not_end(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  raw_head(f, 3, 0, NULL, NULL);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.head_ms);
  assert_calmed(f, HTTP2_WHY_HEAD_TIME);
}

static void test_idle(void **state) {
  Fixture *f = *state;
  f->answers = true;
  raw_start(f);
  raw_get(f, 1);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.idle_ms - 1);
  raw_get(f, 3);
  fixture_settle(f);
  assert_int_equal(f->n_requests, 2);
  fixture_pass_time(f, HTTP2_DEFAULTS.idle_ms);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_ended(f, NGHTTP2_NO_ERROR, HTTP2_WHY_IDLE);
}

/* A stream that waits is not idle, however long. */
static void test_a_long_answer_is_not_idle(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  fixture_settle(f);
  fixture_pass_time(f, 10 * HTTP2_DEFAULTS.idle_ms);
  assert_int_equal(f->overs, 0);
}

static void test_a_socket_that_takes_nothing(void **state) {
  static uint8_t piece[STREAM_HIGH];
  Fixture *f = *state;
  client_start(f, 1 << 30);
  nghttp2_submit_window_update(f->client, NGHTTP2_FLAG_NONE, 0, 1 << 30);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  f->deaf = true;
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  for (int i = 0; i < 8; i++) {
    if (!http2_stream_is_full(r->stream))
      http2_stream_write(r->stream, piece, sizeof piece);
    fixture_settle(f);
  }
  assert_in_range(http2_session_kept(f->server), 1, 3 * STREAM_HIGH);
  fixture_pass_time(f, HTTP2_DEFAULTS.stall_ms);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_STALLED);
  assert_int_equal(r->closes, 1);
}

/* Also of one that answers to PING keep busy. The stream that waits for its sandbox is not touched. */
static void test_a_window_that_stays_shut(void **state) {
  Fixture *f = *state;
  client_start(f, 0);
  int32_t id = client_ask(f, "GET", "/", -1), other = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  http2_stream_write(r->stream, "late", 4);
  http2_stream_finish(r->stream, NULL, 0);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.stall_ms - 1);
  assert_int_equal(r->closes, 0);
  nghttp2_submit_ping(f->client, NGHTTP2_FLAG_NONE, NULL);
  fixture_settle(f);
  assert_int_equal(f->pings_acked, 1);
  fixture_pass_time(f, 1);
  assert_int_equal(r->closes, 1);
  assert_int_equal(client_answer(f, id)->code, NGHTTP2_CANCEL);
  assert_int_equal(f->refused[HTTP2_WHY_STALLED], 1);
  assert_int_equal(f->overs, 0);
  assert_int_equal(fixture_request(f, other)->closes, 0);
  /* and is served when it has something to say */
  nghttp2_submit_window_update(f->client, NGHTTP2_FLAG_NONE, other, 100);
  fixture_settle(f);
  http2_stream_respond(fixture_request(f, other)->stream, 200, NULL, 0, false);
  http2_stream_write(fixture_request(f, other)->stream, "ok", 2);
  http2_stream_finish(fixture_request(f, other)->stream, NULL, 0);
  fixture_settle(f);
  assert_string_equal(buf_str(&client_answer(f, other)->body), "ok");
}

/* A byte now and then is progress; so is all that a slow reader takes. */
static void test_a_window_that_opens_slowly(void **state) {
  Fixture *f = *state;
  client_start(f, 0);
  int32_t id = client_ask(f, "GET", "/", -1);
  fixture_settle(f);
  Request *r = fixture_request(f, id);
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  http2_stream_write(r->stream, "late", 4);
  http2_stream_finish(r->stream, NULL, 0);
  for (int i = 0; i < 4; i++) {
    fixture_settle(f);
    fixture_pass_time(f, HTTP2_DEFAULTS.stall_ms - 1);
    nghttp2_submit_window_update(f->client, NGHTTP2_FLAG_NONE, id, 1);
    fixture_settle(f);
  }
  assert_string_equal(buf_str(&client_answer(f, id)->body), "late");
  assert_int_equal(r->code, NGHTTP2_NO_ERROR);
}

/* Nobody reads its goodbye, and it is gone all the same. */
static void test_a_flood_that_does_not_read(void **state) {
  static uint8_t piece[STREAM_HIGH];
  Fixture *f = *state;
  raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
  raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
  raw_get(f, 1);
  fixture_settle(f);
  f->deaf = true;
  http2_stream_respond(fixture_request(f, 1)->stream, 200, NULL, 0, false);
  for (int i = 0; i < 2; i++) {
    http2_stream_write(fixture_request(f, 1)->stream, piece, sizeof piece);
    fixture_settle(f);
  }
  assert_true(http2_session_kept(f->server) > 0);
  for (int i = 0; i < 1000; i++)
    raw_frame(f, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
  fixture_settle(f);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(f->overs, 1);
  assert_int_equal(f->why, HTTP2_WHY_SETTINGS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_head_of_many_bytes),
      TEST(test_head_of_many_bytes_is_answered),
      TEST(test_head_of_many_fields),
      TEST(test_head_that_is_packed_small),
      TEST(test_table_of_the_peers_choice),
      TEST(test_continuations),
      TEST(test_streams_at_once),
      TEST(test_streams_at_once_before_it_is_told),
      cmocka_unit_test(test_bytes_of_a_session),
      TEST(test_answers_nobody_takes),
      TEST(test_no_head_at_all),
      TEST(test_no_first_head),
      TEST(test_a_head_that_does_not_end),
      TEST(test_idle),
      TEST(test_a_long_answer_is_not_idle),
      TEST(test_a_socket_that_takes_nothing),
      TEST(test_a_window_that_stays_shut),
      TEST(test_a_window_that_opens_slowly),
      TEST(test_a_flood_that_does_not_read),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
