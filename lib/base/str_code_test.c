/* Encodings: the vectors of RFC 4648, one spelling a value, nothing past the buffer; random names by
 * alphabet. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

static void hex(void **state) {
  char out[9];
  str_hex("\x00\x7f\x80\xff", 4, out);
  assert_string_equal(out, "007f80ff");
  str_hex("", 0, out);
  assert_string_equal(out, "");
}

static void base64(void **state) {
  static const struct {
    const char *data, *plain, *url;
  } ROWS[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {"\xfb\xff\xfe", "+//+", "-__-"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    for (int url = 0; url < 2; url++) {
      const char *text = url ? ROWS[i].url : ROWS[i].plain;
      CLEANUP(buf_deinit) Buf encoded = BUF_INIT(0), decoded = BUF_INIT(0);
      assert_int_equal(str_base64_encode(&encoded, ROWS[i].data, strlen(ROWS[i].data), url), 0);
      assert_string_equal(buf_str(&encoded), text);
      assert_int_equal(str_base64_decode(&decoded, text, strlen(text), url), 0);
      assert_string_equal(buf_str(&decoded), ROWS[i].data);
    }
  }
}

static void base64_malformed(void **state) {
  static const char *const PLAIN[] = {
      "Z", "Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zh==", "Zm9=", "Zm9v\n", "Zm 9", "-__-", "Zg=g", "=Zg=", "Zm9vZ"};
  static const char *const URL[] = {"Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9v.", "Zm9vZ"};
  for (size_t i = 0; i < ARRAY_LEN(PLAIN) + ARRAY_LEN(URL); i++) {
    bool url = i >= ARRAY_LEN(PLAIN);
    const char *text = url ? URL[i - ARRAY_LEN(PLAIN)] : PLAIN[i];
    CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
    assert_int_equal(buf_append_str(&out, "kept"), 0);
    if (str_base64_decode(&out, text, strlen(text), url) != -1)
      fail_msg("%s", text);
    assert_int_equal(out.len, 4);
    assert_string_equal(buf_str(&out), "kept");
  }
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(str_base64_decode(&out, "Zm\0v", 4, false), -1);
}

static void base64_at_max(void **state) {
  CLEANUP(buf_deinit) Buf encoded = BUF_INIT(8), decoded = BUF_INIT(4);
  assert_int_equal(str_base64_encode(&encoded, "fooba", 5, false), 0);
  assert_int_equal(str_base64_encode(&encoded, "f", 1, false), -1);
  assert_string_equal(buf_str(&encoded), "Zm9vYmE=");
  assert_int_equal(str_base64_decode(&decoded, "Zm9vYmE=", 8, false), -1);
  assert_int_equal(decoded.len, 0);
  assert_int_equal(str_base64_decode(&decoded, "Zm9vYg==", 8, false), 0);
  assert_string_equal(buf_str(&decoded), "foob");
  CLEANUP(buf_deinit) Buf url = BUF_INIT(2);
  assert_int_equal(str_base64_encode(&url, "f", 1, true), 0);
  assert_string_equal(buf_str(&url), "Zg");
}

static void base64_all_bytes(void **state) {
  uint8_t all[256];
  for (size_t i = 0; i < sizeof all; i++)
    all[i] = (uint8_t)i;
  for (size_t len = 0; len <= sizeof all; len++) {
    CLEANUP(buf_deinit) Buf encoded = BUF_INIT(0), decoded = BUF_INIT(len ? len : 1);
    assert_int_equal(str_base64_encode(&encoded, all, len, len % 2), 0);
    assert_int_equal(str_base64_decode(&decoded, buf_str(&encoded), encoded.len, len % 2), 0);
    assert_int_equal(decoded.len, len);
    if (len)
      assert_memory_equal(decoded.data, all, len);
  }
}

static void random_names(void **state) {
  char a[6], b[33], c[33];
  random_name_suffix(a, 0);
  assert_string_equal(a, "");
  for (int i = 0; i < 1000; i++) {
    random_name_suffix(a, 5);
    assert_int_equal(strlen(a), 5);
    assert_int_equal(strspn(a, "bcdfghjklmnpqrstvwxz2456789"), 5);
  }
  random_uid(b);
  random_uid(c);
  assert_int_equal(strspn(b, "0123456789abcdef"), 32);
  assert_int_equal(strlen(b), 32);
  assert_string_not_equal(b, c);
}

static void random_covers(void **state) {
  /* each of 8192 bytes is drawn: that one stays zero in four draws has a chance of 2^-19 in all */
  static uint8_t seen[8192], draw[8192];
  for (int i = 0; i < 4; i++) {
    random_bytes(draw, sizeof draw);
    for (size_t k = 0; k < sizeof draw; k++)
      seen[k] |= draw[k];
  }
  for (size_t k = 0; k < sizeof seen; k++)
    assert_int_not_equal(seen[k], 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hex),           cmocka_unit_test(base64),           cmocka_unit_test(base64_malformed),
      cmocka_unit_test(base64_at_max), cmocka_unit_test(base64_all_bytes), cmocka_unit_test(random_names),
      cmocka_unit_test(random_covers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
