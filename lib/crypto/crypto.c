/* See crypto.h. */
#include "lib/crypto/crypto.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>

void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]) {
  unsigned n = CRYPTO_SHA256_LEN;
  /* fails only without memory, or for a key length that is no int */
  if (!HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &n) || n != CRYPTO_SHA256_LEN)
    abort();
}

void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]) {
  /* fails only without memory */
  if (EVP_Digest(data, len, out, NULL, EVP_sha256(), NULL) != 1)
    abort();
}

bool crypto_ed25519_verify(const uint8_t key[CRYPTO_ED25519_KEY_LEN], const void *data, size_t len,
                           const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN]) {
  EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key, CRYPTO_ED25519_KEY_LEN);
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  bool ok = pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
            EVP_DigestVerify(context, signature, CRYPTO_ED25519_SIGNATURE_LEN, data, len) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(pkey);
  ERR_clear_error();
  return ok;
}

bool crypto_equal(const void *a, size_t a_len, const void *b, size_t b_len) {
  return a_len == b_len && CRYPTO_memcmp(a, b, a_len) == 0;
}
