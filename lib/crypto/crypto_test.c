/* HMAC-SHA-256 against RFC 4231, cases 1, 2 and 6; SHA-256 of FIPS 180-2; Ed25519 against RFC 8032, test 2. */
#include "lib/crypto/crypto.h"

#include <stdlib.h>
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

static void test_sha256(void **state) {
  uint8_t hash[CRYPTO_SHA256_LEN];
  char hex[2 * CRYPTO_SHA256_LEN + 1];
  crypto_sha256("abc", 3, hash);
  str_hex(hash, sizeof hash, hex);
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void from_hex(const char *hex, uint8_t *out) {
  for (size_t i = 0; hex[2 * i]; i++) {
    char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};
    out[i] = (uint8_t)strtoul(byte, NULL, 16);
  }
}

static void test_ed25519(void **state) {
  uint8_t key[CRYPTO_ED25519_KEY_LEN], signature[CRYPTO_ED25519_SIGNATURE_LEN];
  from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", key);
  from_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
           "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
           signature);
  assert_true(crypto_ed25519_verify(key, "\x72", 1, signature));
  assert_false(crypto_ed25519_verify(key, "\x73", 1, signature));
  assert_false(crypto_ed25519_verify(key, "", 0, signature));
  signature[0] ^= 1;
  assert_false(crypto_ed25519_verify(key, "\x72", 1, signature));
  signature[0] ^= 1;
  key[31] ^= 1;
  assert_false(crypto_ed25519_verify(key, "\x72", 1, signature));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_hmac), cmocka_unit_test(test_equal),
                                     cmocka_unit_test(test_sha256), cmocka_unit_test(test_ed25519)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
