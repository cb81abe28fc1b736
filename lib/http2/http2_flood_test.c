/* Floods of each kind, one frame more than may be: the session ends and says by which bound. And what honest peers do,
 * who must not meet them. */
#include "lib/http2/http2_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/test.h"
#include "lib/http2/http2_ended_fixture.h"

static int setup(void **state) {
  *state = fixture_new(NULL);
  return 0;
}

static int teardown(void **state) {
  fixture_free(*state);
  return 0;
}

/* Of frames, one more than a burst. */
static void flood(Fixture *f, Http2Flood of, uint8_t type, uint8_t flags, int32_t id, const void *payload, size_t len) {
  uint32_t burst = HTTP2_DEFAULTS.floods[of].burst;
  for (uint32_t i = 0; i <= burst + 100 && f->server; i++)
    raw_frame(f, type, flags, id, payload, len);
}

static void test_rapid_reset(void **state) {
  Fixture *f = *state;
  raw_start(f);
  for (int32_t i = 0; i < 2000 && f->server; i++) {
    raw_get(f, 2 * i + 1);
    raw_frame(f, NGHTTP2_RST_STREAM, 0, 2 * i + 1, "\0\0\0\x08", 4);
  }
  assert_calmed(f, HTTP2_WHY_RESETS);
  assert_int_equal(f->n_requests, 1001);
}

/* The peer breaks a rule of each stream, so that the server resets it. */
static void test_provoked_resets(void **state) {
  Fixture *f = *state;
  raw_start(f);
  for (int32_t i = 0; i < 2000 && f->server; i++) {
    raw_get(f, 2 * i + 1);
    /* a window that is too large */
    raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 2 * i + 1, "\x7f\xff\xff\xff", 4);
    if (i % 50 == 0)
      fixture_settle(f);
  }
  assert_calmed(f, HTTP2_WHY_RESETS);
  assert_in_range(f->n_requests, 1000, 1100);
}

static void test_malformed_heads(void **state) {
  Fixture *f = *state;
  raw_start(f);
  for (int32_t i = 0; i < 2000 && f->server; i++) {
    raw_frame(f, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 2 * i + 1, NULL, 0);
    if (i % 50 == 0)
      fixture_settle(f);
  }
  assert_calmed(f, HTTP2_WHY_RESETS);
}

static void test_resets_come_back(void **state) {
  Fixture *f = *state;
  raw_start(f);
  int32_t id = 1;
  for (int second = 0; second < 100; second++) {
    for (int i = 0; i < (second ? 30 : 1000); i++, id += 2) {
      raw_get(f, id);
      raw_frame(f, NGHTTP2_RST_STREAM, 0, id, "\0\0\0\x08", 4);
    }
    fixture_settle(f);
    fixture_pass_time(f, 1000);
  }
  assert_true(f->server != NULL);
  assert_int_equal(f->n_requests, 1000 + 99 * 30);
}

static void test_settings(void **state) {
  Fixture *f = *state;
  raw_start(f);
  flood(f, HTTP2_FLOOD_SETTINGS, NGHTTP2_SETTINGS, 0, 0, NULL, 0);
  assert_calmed(f, HTTP2_WHY_SETTINGS);
}

static void test_settings_of_many_entries(void **state) {
  Fixture *f = *state;
  uint8_t entries[33 * 6] = {0};
  for (size_t i = 0; i < sizeof entries; i += 6)
    entries[i + 1] = NGHTTP2_SETTINGS_MAX_FRAME_SIZE, entries[i + 3] = 1;
  raw_start(f);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, entries, sizeof entries);
  assert_true(raw_goaway(f) > 0);
  fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(f->overs, 1);
}

static void test_pings(void **state) {
  Fixture *f = *state;
  raw_start(f);
  flood(f, HTTP2_FLOOD_PINGS, NGHTTP2_PING, 0, 0, "12345678", 8);
  assert_calmed(f, HTTP2_WHY_PINGS);
}

/* The answers pile up behind a socket that is full. */
static void test_pings_whose_answers_are_not_read(void **state) {
  Http2Config config = HTTP2_DEFAULTS;
  config.floods[HTTP2_FLOOD_PINGS].burst = UINT32_MAX;
  Fixture *f = fixture_new(&config);
  raw_start(f);
  f->deaf = true;
  for (int i = 0; i < 200000 && f->server && !http2_session_kept(f->server); i++)
    raw_frame(f, NGHTTP2_PING, 0, 0, "12345678", 8);
  for (int i = 0; i < 200000 && f->server; i++)
    raw_frame(f, NGHTTP2_PING, 0, 0, "12345678", 8);
  fixture_settle(f);
  if (f->server)
    assert_in_range(http2_session_kept(f->server), 1, STREAM_HIGH + 20000);
  f->deaf = false;
  assert_calmed(f, HTTP2_WHY_UNREAD_ACKS);
  fixture_free(f);
}

static void test_priorities(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  flood(f, HTTP2_FLOOD_PRIORITIES, NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\x10", 5);
  assert_calmed(f, HTTP2_WHY_PRIORITIES);
}

static void test_window_updates(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_get(f, 1);
  flood(f, HTTP2_FLOOD_WINDOW_UPDATES, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
  assert_calmed(f, HTTP2_WHY_WINDOW_UPDATES);
}

/* Each byte of the window is a frame that is sent; that is no work of the peer's. */
static void test_an_answer_taken_by_bytes(void **state) {
  static uint8_t piece[64 << 10];
  Fixture *f = *state;
  raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, "\0\4\0\0\0\0", 6);
  raw_get(f, 1);
  fixture_settle(f);
  http2_stream_respond(fixture_request(f, 1)->stream, 200, NULL, 0, false);
  http2_stream_write(fixture_request(f, 1)->stream, piece, sizeof piece);
  for (int i = 0; i < 5000 && f->server; i++) {
    raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
    if (i % 20 == 0)
      fixture_settle(f);
  }
  assert_calmed(f, HTTP2_WHY_WINDOW_UPDATES);
}

static void test_empty_data(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_head(f, 1, NGHTTP2_FLAG_END_HEADERS, NULL, NULL);
  flood(f, HTTP2_FLOOD_EMPTY, NGHTTP2_DATA, 0, 1, NULL, 0);
  assert_calmed(f, HTTP2_WHY_EMPTY);
}

static void test_padding_alone(void **state) {
  Fixture *f = *state;
  raw_start(f);
  raw_head(f, 1, NGHTTP2_FLAG_END_HEADERS, NULL, NULL);
  flood(f, HTTP2_FLOOD_EMPTY, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, "\x03\0\0\0", 4);
  assert_calmed(f, HTTP2_WHY_EMPTY);
}

static void test_unknown_frames(void **state) {
  Fixture *f = *state;
  raw_start(f);
  flood(f, HTTP2_FLOOD_EMPTY, 0xbe, 0, 0, NULL, 0);
  assert_calmed(f, HTTP2_WHY_EMPTY);
}

/* ---- Honest peers ---- */

/* Each frame of a large answer is acknowledged twice and measured by a PING, long after it was sent. */
static void test_a_large_answer_is_acknowledged(void **state) {
  static uint8_t piece[64 << 10];
  Fixture *f = *state;
  raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  raw_frame(f, NGHTTP2_SETTINGS, 0, 0, "\0\4\x7f\xff\xff\xff", 6);
  raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 0, "\x7f\0\0\0", 4);
  raw_get(f, 1);
  fixture_settle(f);
  Request *r = fixture_request(f, 1);
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  for (int i = 0; i < 500; i++) {
    http2_stream_write(r->stream, piece, sizeof piece);
    fixture_settle(f);
    f->in.len = 0;
  }
  for (int i = 0; i < 500 * 4; i++) {
    raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\x10", 4);
    raw_frame(f, NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\x10", 4);
    raw_frame(f, NGHTTP2_PING, 0, 0, "12345678", 8);
    if (i % 20 == 0)
      fixture_settle(f);
  }
  fixture_settle(f);
  assert_true(f->server != NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_rapid_reset),
      TEST(test_provoked_resets),
      TEST(test_malformed_heads),
      TEST(test_resets_come_back),
      TEST(test_settings),
      TEST(test_settings_of_many_entries),
      TEST(test_pings),
      cmocka_unit_test(test_pings_whose_answers_are_not_read),
      TEST(test_priorities),
      TEST(test_window_updates),
      TEST(test_an_answer_taken_by_bytes),
      TEST(test_empty_data),
      TEST(test_padding_alone),
      TEST(test_unknown_frames),
      TEST(test_a_large_answer_is_acknowledged),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
