/* See scoped_token_v2.h. */
#include "services/router/access/scoped_token_v2.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/authz/authz_file.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"

#define CONTEXT "agent-sandbox/scoped-token/v2."
#define KID_ALPHABET "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

/* A path of 1,024 bytes, names and JSON, in base64. */
enum { MAX_TOKEN = 4096, MAX_KID = 128, MAX_KEYS = 100 };

typedef struct Key {
  char kid[MAX_KID + 1];
  uint8_t public_key[CRYPTO_ED25519_KEY_LEN];
} Key;

struct ScopedKeys {
  Key keys[MAX_KEYS];
  size_t n;
};

void scoped_keys_free(ScopedKeys *keys) {
  free(keys);
}

static const Key *find(const ScopedKeys *keys, const char *kid, size_t len) {
  for (size_t i = 0; i < keys->n; i++)
    if (strlen(keys->keys[i].kid) == len && memcmp(keys->keys[i].kid, kid, len) == 0)
      return &keys->keys[i];
  return NULL;
}

static bool is_kid(const char *kid, size_t len) {
  return len >= 1 && len <= MAX_KID && strspn(kid, KID_ALPHABET) >= len;
}

/* NULL, or what is wrong with it. */
static const char *read_key(ScopedKeys *keys, const json_t *object) {
  const char *kid = json_string_value(json_object_get(object, "kid")),
             *text = json_string_value(json_object_get(object, "publicKey"));
  CLEANUP(buf_deinit) Buf key = BUF_INIT(2UL * CRYPTO_ED25519_KEY_LEN);
  if (!kid || !text || json_object_size(object) != 2)
    return "a key has a kid and a publicKey, as text, and nothing else";
  if (!is_kid(kid, strlen(kid)))
    return "a kid must be 1 to 128 of [A-Za-z0-9_-]";
  if (find(keys, kid, strlen(kid)))
    return "a kid is there twice";
  if (str_base64_decode(&key, text, strlen(text), true) != 0 || key.len != CRYPTO_ED25519_KEY_LEN)
    return "a publicKey must be 32 bytes as unpadded base64url";
  if (keys->n == MAX_KEYS)
    return "more than 100 keys";
  Key *k = &keys->keys[keys->n++];
  snprintf(k->kid, sizeof k->kid, "%s", kid);
  memcpy(k->public_key, key.data, sizeof k->public_key);
  return NULL;
}

static const char *read_keys(ScopedKeys *keys, const Buf *text) {
  json_auto_t *object = json_loadb(buf_str(text), text->len, JSON_REJECT_DUPLICATES, NULL);
  const json_t *list = json_object_get(object, "keys"), *item;
  const char *why = NULL;
  size_t i;
  if (!json_is_array(list) || json_object_size(object) != 1)
    return "is not {\"keys\":[...]}";
  json_array_foreach(list, i, item) if (!why) why = read_key(keys, item);
  return why || keys->n > 0 ? why : "holds no key";
}

ScopedKeys *scoped_keys_read(const char *option, const char *path, Error *err) {
  CLEANUP(buf_deinit) Buf text = BUF_INIT(AUTHZ_FILE_MAX);
  if (authz_file_read(option, path, AUTHZ_FILE_PUBLIC, &text, err) != 0)
    return NULL;
  ScopedKeys *keys = new0(ScopedKeys);
  const char *why = read_keys(keys, &text);
  if (!why)
    return keys;
  (void)error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s: %s", option, path, why);
  scoped_keys_free(keys);
  return NULL;
}

/* ---- tokens ---- */

/* The parts between the dots; false: there are not four. */
static bool split(const char *token, const char *at[3], size_t len[3]) {
  const char *rest = token + strlen("v2.");
  for (size_t i = 0; i < 3; i++) {
    at[i] = rest;
    len[i] = strcspn(rest, ".");
    rest += len[i];
    if ((*rest == '.') != (i < 2))
      return false;
    rest += i < 2;
  }
  return true;
}

static bool is_signed(const ScopedKeys *keys, const char *const at[3], const size_t len[3]) {
  const Key *key = find(keys, at[0], len[0]);
  CLEANUP(buf_deinit) Buf signature = BUF_INIT(2UL * CRYPTO_ED25519_SIGNATURE_LEN);
  CLEANUP(buf_deinit) Buf text = BUF_INIT(MAX_TOKEN + sizeof CONTEXT);
  if (!key || str_base64_decode(&signature, at[2], len[2], true) != 0 || signature.len != CRYPTO_ED25519_SIGNATURE_LEN)
    return false;
  /* kid, dot and payload stand behind each other in the token as well */
  if (buf_append_str(&text, CONTEXT) != 0 || buf_append(&text, at[0], len[0] + 1 + len[1]) != 0)
    return false;
  return crypto_ed25519_verify(key->public_key, text.data, text.len, signature.data);
}

/* The claims in their order, and no others. */
static bool in_order(const json_t *object, const char *const *order, size_t n) {
  const char *name;
  json_t *value;
  size_t i = 0;
  json_object_foreach((json_t *)object, name, value) {
    if (i == n || !str_equal(name, order[i]))
      return false;
    i++;
  }
  return i == n;
}

static bool copy(const json_t *object, const char *name, char *out, size_t size) {
  const char *value = json_string_value(json_object_get(object, name));
  if (str_empty(value) || strlen(value) >= size)
    return false;
  memcpy(out, value, strlen(value) + 1);
  return true;
}

static bool read_request(const json_t *object, ScopedTokenV2 *token) {
  const json_t *port = json_object_get(object, "port");
  json_int_t number = json_integer_value(port);
  if (!json_is_integer(port) || number < 1 || number > 65535)
    return false;
  token->port = (uint16_t)number;
  return copy(object, "method", token->method, sizeof token->method) &&
         copy(object, "path", token->path, sizeof token->path) && token->path[0] == '/' && !strchr(token->path, '?');
}

static bool read_claims(const json_t *object, ScopedTokenV2 *token) {
  static const char *const OF_REQUEST[] = {"ns", "name", "uid", "port", "method", "path", "exp"},
                           *const OF_SANDBOX[] = {"ns", "name", "uid", "exp"};
  const json_t *exp = json_object_get(object, "exp");
  bool of_sandbox = in_order(object, OF_SANDBOX, ARRAY_LEN(OF_SANDBOX));
  if (!of_sandbox && !in_order(object, OF_REQUEST, ARRAY_LEN(OF_REQUEST)))
    return false;
  if (!json_is_integer(exp) || !copy(object, "ns", token->of.ns, sizeof token->of.ns) ||
      !copy(object, "name", token->of.name, sizeof token->of.name) ||
      !copy(object, "uid", token->uid, sizeof token->uid))
    return false;
  token->of.exp_s = json_integer_value(exp);
  return str_is_dns_label(token->of.ns) && str_is_object_name(token->of.name) &&
         (of_sandbox || read_request(object, token));
}

bool scoped_token_v2_verify(const ScopedKeys *keys, const char *token, int64_t now_s, ScopedTokenV2 *ret_token) {
  const char *at[3];
  size_t len[3];
  *ret_token = (ScopedTokenV2){0};
  if (strlen(token) > MAX_TOKEN || !str_starts_with(token, "v2.") || !split(token, at, len) ||
      !is_signed(keys, at, len))
    return false;
  CLEANUP(buf_deinit) Buf text = BUF_INIT(MAX_TOKEN);
  if (str_base64_decode(&text, at[1], len[1], true) != 0)
    return false;
  json_auto_t *object = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
  return read_claims(object, ret_token) && now_s < ret_token->of.exp_s;
}
