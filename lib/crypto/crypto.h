/* The few primitives the services need, from OpenSSL, whose types stay out of here. */
#ifndef SANDPLANE_LIB_CRYPTO_CRYPTO_H_
#define SANDPLANE_LIB_CRYPTO_CRYPTO_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRYPTO_SHA256_LEN = 32, CRYPTO_ED25519_KEY_LEN = 32, CRYPTO_ED25519_SIGNATURE_LEN = 64 };

void crypto_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]);
void crypto_sha256(const void *data, size_t len, uint8_t out[CRYPTO_SHA256_LEN]);
/* Whether the owner of this public key signed the data (Ed25519, RFC 8032). */
bool crypto_ed25519_verify(const uint8_t key[CRYPTO_ED25519_KEY_LEN], const void *data, size_t len,
                           const uint8_t signature[CRYPTO_ED25519_SIGNATURE_LEN]);
/* In time that depends on the lengths only, not on where they differ. */
bool crypto_equal(const void *a, size_t a_len, const void *b, size_t b_len);

#endif
