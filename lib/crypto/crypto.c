/* See crypto.h. */
#include "lib/crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]) {
  unsigned n = CRYPTO_SHA256_LEN;
  /* fails only without memory, or for a key length that is no int */
  if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &n) || n != CRYPTO_SHA256_LEN)
    abort();
}

bool crypto_equal(const void *a, size_t a_len, const void *b, size_t b_len) {
  return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}
