/* HMAC-SHA-256 against RFC 4231, cases 1, 2 and 6. */
#include "lib/crypto/crypto.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

static void expect(const void *key, size_t key_len, const char *data, const char *want) {
  uint8_t mac[CRYPTO_SHA256_LEN];
  char hex[2 * CRYPTO_SHA256_LEN + 1];
  crypto_hmac_sha256(key, key_len, data, strlen(data), mac);
  str_hex(mac, sizeof mac, hex);
  assert_string_equal(hex, want);
}

static void test_hmac(void **state) {
  uint8_t key[131];
  memset(key, 0x0b, 20);
  expect(key, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  expect("Jefe", 4, "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  memset(key, 0xaa, sizeof key);
  expect(key, sizeof key, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void test_equal(void **state) {
  assert_true(crypto_equal("abc", 3, "abc", 3));
  assert_true(crypto_equal("", 0, "", 0));
  assert_false(crypto_equal("abc", 3, "abd", 3));
  assert_false(crypto_equal("abc", 3, "abcd", 4));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hmac), cmocka_unit_test(test_equal)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
