/* Frames are found in any cut of the bytes; what is no frame is refused as early as it can be told. */
#include "lib/wire/wire.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"

static void round_trip(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(0);
  assert_int_equal(wire_append(&buf, WIRE_OPEN, "open", 4), 0);
  assert_int_equal(wire_append(&buf, WIRE_MESSAGE, NULL, 0), 0);
  assert_int_equal(wire_append(&buf, WIRE_STATUS, "\0s", 2), 0);
  assert_int_equal(buf.len, 3 * WIRE_HEADER_LEN + 6);
  static const WireFrame WANTED[] = {
      {WIRE_OPEN, (const uint8_t *)"open", 4},
      {WIRE_MESSAGE, (const uint8_t *)"", 0},
      {WIRE_STATUS, (const uint8_t *)"\0s", 2},
  };
  size_t at = 0;
  for (size_t i = 0; i < ARRAY_LEN(WANTED); i++) {
    WireFrame frame;
    size_t used;
    Error err;
    assert_ok(wire_parse(buf.data + at, buf.len - at, &frame, &used, &err), &err);
    assert_int_equal(frame.type, WANTED[i].type);
    assert_int_equal(frame.len, WANTED[i].len);
    assert_memory_equal(frame.payload, WANTED[i].payload, frame.len);
    assert_ptr_equal(frame.payload, buf.data + at + WIRE_HEADER_LEN);
    assert_int_equal(used, WIRE_HEADER_LEN + frame.len);
    at += used;
  }
  assert_int_equal(at, buf.len);
}

static void header_bytes(void **state) {
  uint8_t out[WIRE_HEADER_LEN];
  wire_header(out, WIRE_ACCEPT, 0x010203);
  assert_memory_equal(out, "\x04\x00\x01\x02\x03", WIRE_HEADER_LEN);
}

static void partial(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(0);
  assert_int_equal(wire_append(&buf, WIRE_HALF_CLOSE, "payload", 7), 0);
  WireFrame frame;
  size_t used;
  Error err;
  for (size_t n = 0; n < buf.len; n++) {
    /* a copy of the exact size: reading past it is seen by the sanitizer */
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, buf.data, n);
    assert_int_equal(wire_parse(exact, n, &frame, &used, &err), WIRE_MORE);
    free(exact);
  }
  assert_ok(wire_parse(buf.data, buf.len, &frame, &used, &err), &err);
}

static void unknown_type(void **state) {
  WireFrame frame;
  size_t used;
  for (int type = WIRE_ACCEPT + 1; type < 256; type++) {
    Error err;
    uint8_t first = (uint8_t)type;
    assert_int_equal(wire_parse(&first, 1, &frame, &used, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  }
}

static void oversized(void **state) {
  uint8_t header[WIRE_HEADER_LEN];
  WireFrame frame;
  size_t used;
  Error err;
  wire_header(header, WIRE_MESSAGE, WIRE_MAX_PAYLOAD);
  assert_int_equal(wire_parse(header, sizeof header, &frame, &used, &err), WIRE_MORE);
  wire_header(header, WIRE_MESSAGE, WIRE_MAX_PAYLOAD + 1);
  /* refused from its head, before anyone makes room for it */
  assert_int_equal(wire_parse(header, sizeof header, &frame, &used, &err), -1);
  assert_int_equal(err.kind, ERROR_RESOURCE_EXHAUSTED);
  memcpy(header, "\0\xff\xff\xff\xff", sizeof header);
  assert_int_equal(wire_parse(header, sizeof header, &frame, &used, &err), -1);
}

static void largest(void **state) {
  uint8_t *payload = calloc(1, WIRE_MAX_PAYLOAD + 1);
  payload[WIRE_MAX_PAYLOAD - 1] = 7;
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD);
  assert_int_equal(wire_append(&buf, WIRE_MESSAGE, payload, WIRE_MAX_PAYLOAD + 1), -1);
  assert_int_equal(buf.len, 0);
  assert_int_equal(wire_append(&buf, WIRE_MESSAGE, payload, WIRE_MAX_PAYLOAD), 0);
  assert_int_equal(wire_append(&buf, WIRE_MESSAGE, NULL, 0), -1);
  assert_int_equal(buf.len, WIRE_HEADER_LEN + WIRE_MAX_PAYLOAD);
  WireFrame frame;
  size_t used;
  Error err;
  assert_ok(wire_parse(buf.data, buf.len, &frame, &used, &err), &err);
  assert_int_equal(frame.payload[WIRE_MAX_PAYLOAD - 1], 7);
  free(payload);
}

static void keeps_the_final_nul(void **state) {
  CLEANUP(buf_deinit) Buf buf = BUF_INIT(0);
  /* what stood behind the content before must not show */
  assert_int_equal(buf_append_str(&buf, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), 0);
  buf.len = 0;
  assert_int_equal(wire_append(&buf, WIRE_MESSAGE, "ab", 2), 0);
  assert_int_equal(buf.data[buf.len], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trip),          cmocka_unit_test(header_bytes), cmocka_unit_test(partial),
      cmocka_unit_test(unknown_type),        cmocka_unit_test(oversized),    cmocka_unit_test(largest),
      cmocka_unit_test(keeps_the_final_nul),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
