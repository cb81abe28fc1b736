/* API keys, as a file holds them: an object of JSON for each, on a line of its own.
 *
 *   {"id":"k7m2...","hash":"sha256:...","tenant":"research","role":"user","namespaces":["default"],
 *    "expires":"2027-01-01T00:00:00Z"}
 *
 * role is "user" or "admin"; namespaces ["*"] is all; expires may be missing. Empty lines and those that begin with "#"
 * are left alone. A key's text is "sp_<id>_<secret>", and the hash is that of the whole text. The secret is 256 bits
 * of the kernel's, which nobody guesses: a slow hash protects what people choose, and would here only make every call
 * slow.
 */
#ifndef SANDPLANE_LIB_AUTHZ_AUTHZ_KEYS_H_
#define SANDPLANE_LIB_AUTHZ_AUTHZ_KEYS_H_

#include <stdint.h>

#include "lib/authz/authz.h"
#include "lib/base/buf.h"

enum {
  AUTHZ_KEYS_MAX = 10000,
  AUTHZ_HASH_LEN = 32,
  AUTHZ_KEY_ID_LEN = 12,
  AUTHZ_KEY_TEXT_LEN = 3 + AUTHZ_KEY_ID_LEN + 1 + 43, /* 32 bytes as unpadded base64url */
};

#define AUTHZ_KEY_PREFIX "sp_"

typedef struct AuthzKey {
  char id[AUTHZ_KEY_ID_LEN + 1];
  uint8_t hash[AUTHZ_HASH_LEN];
  char *tenant, *namespaces; /* as in AuthzPrincipal */
  AuthzRole role;
  int64_t expire_s; /* wall clock; INT64_MAX: never */
} AuthzKey;

void authz_key_deinit(AuthzKey *key);

/* One line without its end; changed by reading. 1: a key; 0: an empty line or a comment; -1: INVALID_ARGUMENT, and
 * nothing to deinit. */
int authz_key_parse(const char *line, size_t len, AuthzKey *ret_key, Error *err) MUST_CHECK;
/* Appends the line, with its end. */
void authz_key_write(const AuthzKey *key, Buf *out);

/* A new id and a new secret: the text, which is nowhere else, and id and hash into the key. */
void authz_key_make(AuthzKey *key, char ret_text[AUTHZ_KEY_TEXT_LEN + 1]);
/* The id in a text of the right shape; false: it is no key's. */
bool authz_key_id_of(const char *text, char ret_id[AUTHZ_KEY_ID_LEN + 1]);
/* Whether the text is this key's, in time that does not tell where it differs. */
bool authz_key_matches(const AuthzKey *key, const char *text);

/* "default,team-a" or "*", checked; the caller frees. NULL: INVALID_ARGUMENT, which names the field. */
char *authz_namespaces_parse(const char *text, Error *err);

#endif
