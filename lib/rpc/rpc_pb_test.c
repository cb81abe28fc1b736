/* Strings that protobuf-c would let through, nesting and memory that it would not bound; status details. */
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "api/sandplane/v1/sandbox.pb-c.h"
#include "google/protobuf/descriptor.pb-c.h"
#include "lib/base/test.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/rpc/rpc_status.h"

#define CREATE (&sandplane__v1__create_sandbox_request__descriptor)
#define EXEC (&sandplane__v1__exec_request__descriptor)
#define POOLS (&sandplane__v1__list_pools_response__descriptor)

typedef struct Wire {
  uint8_t data[4096];
  size_t len;
} Wire;

/* A length-delimited field; numbers and lengths below 128, so that each takes one byte. */
static void put(Wire *w, int number, const void *value, size_t len) {
  assert_true(number < 16 && len < 128 && w->len + len + 2 <= sizeof w->data);
  w->data[w->len++] = (uint8_t)(number << 3 | 2);
  w->data[w->len++] = (uint8_t)len;
  memcpy(w->data + w->len, value, len);
  w->len += len;
}

static void *unpack(const ProtobufCMessageDescriptor *d, Arena *arena, const Wire *w, Error *err) {
  *err = (Error){.kind = ERROR_NONE};
  return rpc_pb_unpack(d, arena, w->data, w->len, err);
}

static void expect_field(const ProtobufCMessageDescriptor *d, const Wire *w, const char *field, const char *text) {
  Arena *arena = arena_new();
  Error err;
  assert_null(unpack(d, arena, w, &err));
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(err.field, field);
  assert_contains(err.message, text);
  arena_free(arena);
}

static void test_round_trip(void **state) {
  Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  request.parent = (char *)"namespaces/d\xc3\xa9j\xc3\xa0";
  request.page_size = 7;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  Arena *arena = arena_new();
  Error err;
  Sandplane__V1__ListPoolsRequest *back =
      rpc_pb_unpack(&sandplane__v1__list_pools_request__descriptor, arena, data, len, &err);
  free(data);
  assert_non_null(back);
  assert_string_equal(back->parent, request.parent);
  assert_int_equal(back->page_size, 7);
  assert_non_null(rpc_pb_unpack(CREATE, arena, NULL, 0, &err));
  arena_free(arena);
}

static void test_plain_string(void **state) {
  Wire nul = {.len = 0}, utf8 = {.len = 0}, overwritten = {.len = 0};
  put(&nul, 1, "namespaces/a\0b", 14);
  expect_field(CREATE, &nul, "parent", "NUL");
  put(&utf8, 4, "\xc3", 1);
  expect_field(CREATE, &utf8, "request_id", "UTF-8");
  /* protobuf keeps the last value; a bad one before it is refused all the same */
  put(&overwritten, 1, "\xff", 1);
  put(&overwritten, 1, "good", 4);
  expect_field(CREATE, &overwritten, "parent", "UTF-8");
}

static void test_map_entries(void **state) {
  Wire good = {.len = 0}, bad_key = {.len = 0}, bad_value = {.len = 0}, map_key = {.len = 0}, map_value = {.len = 0};
  put(&good, 1, "A", 1);
  put(&bad_key, 1, "A\0B", 3);
  put(&bad_value, 1, "A", 1);
  put(&bad_value, 2, "\xed\xa0\x80", 3); /* a surrogate */
  put(&map_key, 7, good.data, good.len);
  put(&map_key, 7, bad_key.data, bad_key.len);
  expect_field(CREATE, &map_key, "env[1].key", "NUL");
  put(&map_value, 7, bad_value.data, bad_value.len);
  expect_field(CREATE, &map_value, "env[0].value", "UTF-8");
}

static void test_nested_and_repeated(void **state) {
  Wire command = {.len = 0}, exec = {.len = 0};
  put(&command, 1, "echo", 4);
  put(&command, 1, "a\0b", 3);
  put(&exec, 1, "name", 4);
  put(&exec, 2, command.data, command.len);
  expect_field(EXEC, &exec, "command.args[1]", "NUL");
}

static void test_bytes_are_free(void **state) {
  Wire exec = {.len = 0};
  put(&exec, 3, "\0\xff\0", 3);
  Arena *arena = arena_new();
  Error err;
  Sandplane__V1__ExecRequest *request = unpack(EXEC, arena, &exec, &err);
  assert_non_null(request);
  assert_int_equal(request->stdin.len, 3);
  arena_free(arena);
}

static void test_malformed(void **state) {
  static const struct {
    uint8_t data[12];
    size_t len;
  } cases[] = {
      {{0x0a, 5, 'a'}, 3},                                                            /* shorter than it says */
      {{0x0a}, 1},                                                                    /* no length */
      {{0x0b, 0x0c}, 2},                                                              /* a group */
      {{0x02, 0}, 2},                                                                 /* field number 0 */
      {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, 12}, /* endless varint */
      {{0x08, 1}, 2},                                                                 /* a string as a number */
      {{0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 11},       /* 2^64 - 1 bytes */
  };
  for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
    Arena *arena = arena_new();
    Error err = {.kind = ERROR_NONE};
    assert_null(rpc_pb_unpack(CREATE, arena, cases[i].data, cases[i].len, &err));
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    arena_free(arena);
  }
}

static void test_every_prefix_and_flip(void **state) {
  Wire command = {.len = 0}, exec = {.len = 0};
  put(&command, 1, "echo", 4);
  put(&command, 2, "\x0a\x01k\x12\x01v", 6);
  put(&exec, 1, "name", 4);
  put(&exec, 2, command.data, command.len);
  for (size_t i = 0; i <= exec.len; i++) {
    for (int bit = 0; bit < 8; bit++) {
      Wire w = exec;
      Error err;
      if (i < exec.len)
        w.data[i] ^= (uint8_t)(1 << bit);
      Arena *arena = arena_new();
      (void)!rpc_pb_unpack(EXEC, arena, w.data, i, &err);
      /* what is accepted has no cut strings: packing it again must be possible */
      Sandplane__V1__ExecRequest *request = unpack(EXEC, arena, &w, &err);
      if (request)
        assert_true(protobuf_c_message_get_packed_size(&request->base) <= w.len);
      arena_free(arena);
    }
  }
}

/* DescriptorProto is the one message at hand that nests in itself (nested_type = 3). */
static void test_depth(void **state) {
  enum { LEVELS = 300 };
  uint8_t data[LEVELS * 4];
  size_t at = sizeof data;
  size_t len = 0;
  for (int i = 0; i < LEVELS; i++) {
    size_t n = len < 128 ? 1 : 2;
    at -= n + 1;
    data[at] = 3 << 3 | 2;
    data[at + 1] = n == 1 ? (uint8_t)len : (uint8_t)(len | 0x80);
    if (n == 2)
      data[at + 2] = (uint8_t)(len >> 7);
    len += n + 1;
    Arena *arena = arena_new();
    Error err;
    void *message = rpc_pb_unpack(&google__protobuf__descriptor_proto__descriptor, arena, data + at, len, &err);
    if (i < 100)
      assert_non_null(message);
    if (i > 100)
      assert_null(message);
    arena_free(arena);
  }
}

static void test_memory(void **state) {
  /* two bytes each on the wire, a Pool each in memory */
  const size_t N = 100000;
  uint8_t *data = malloc(2 * N);
  for (size_t i = 0; i < N; i++) {
    data[2 * i] = 1 << 3 | 2;
    data[2 * i + 1] = 0;
  }
  Arena *arena = arena_new();
  Error err;
  assert_null(rpc_pb_unpack(POOLS, arena, data, 2 * N, &err));
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_non_null(rpc_pb_unpack(POOLS, arena, data, 20, &err));
  arena_free(arena);
  free(data);
}

static void test_status_details(void **state) {
  Error plain = {.kind = ERROR_NOT_FOUND, .message = "no such pool"};
  size_t len;
  assert_null(rpc_status_encode(&plain, &len));
  assert_int_equal(len, 0);

  Error full = {.kind = ERROR_UNAVAILABLE, .retry_after_ms = 2750, .field = "a.b[1]", .message = "later"};
  uint8_t *data = rpc_status_encode(&full, &len);
  Error back = {.kind = ERROR_UNAVAILABLE};
  rpc_status_decode(data, len, &back);
  assert_string_equal(back.field, "a.b[1]");
  assert_int_equal(back.retry_after_ms, 2750);
  /* What a peer sends may be anything. */
  for (size_t i = 0; i < len; i++) {
    Error err = {.kind = ERROR_UNAVAILABLE};
    rpc_status_decode(data, i, &err);
    data[i] ^= 0x41;
    rpc_status_decode(data, len, &err);
    data[i] ^= 0x41;
    assert_int_equal(err.kind, ERROR_UNAVAILABLE);
  }
  free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_plain_string),
      cmocka_unit_test(test_map_entries),
      cmocka_unit_test(test_nested_and_repeated),
      cmocka_unit_test(test_bytes_are_free),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_every_prefix_and_flip),
      cmocka_unit_test(test_depth),
      cmocka_unit_test(test_memory),
      cmocka_unit_test(test_status_details),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
