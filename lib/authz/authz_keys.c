/* See authz_keys.h. */
#include "lib/authz/authz_keys.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"

#define HASH_PREFIX "sha256:"
/* Of Crockford's alphabet, so that no "_" or letter of doubt is in an id. */
#define ID_ALPHABET "0123456789abcdefghjkmnpqrstvwxyz"

enum { SECRET_BYTES = 32, NAMESPACES_SIZE = AUTHZ_NAMESPACES_MAX * 64 };

void authz_key_deinit(AuthzKey *key) {
  free(key->tenant);
  free(key->namespaces);
  key->tenant = key->namespaces = NULL;
}

static bool is_id(const char *s, size_t len) {
  return len == AUTHZ_KEY_ID_LEN && strspn(s, ID_ALPHABET) >= len;
}

static int hex_digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hash(const char *text, uint8_t out[AUTHZ_HASH_LEN], Error *err) {
  const char *hex = text && str_starts_with(text, HASH_PREFIX) ? text + strlen(HASH_PREFIX) : "";
  if (strlen(hex) != 2 * AUTHZ_HASH_LEN || strspn(hex, "0123456789abcdef") != 2 * AUTHZ_HASH_LEN)
    return error_field(err, "hash", "must be sha256: and 64 hexadecimal digits");
  for (size_t i = 0; i < AUTHZ_HASH_LEN; i++)
    out[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
  return 0;
}

static int bad_namespaces(Error *err) {
  return error_field(err, "namespaces", "must be 1 to %d DNS labels, or * alone", AUTHZ_NAMESPACES_MAX);
}

/* Adds one to a list that is `n` long. */
static int add_namespace(Buf *out, size_t n, const char *name, Error *err) {
  bool ok = str_is_dns_label(name) && n < AUTHZ_NAMESPACES_MAX;
  if (!ok || (n > 0 && buf_append_str(out, ",") != 0) || buf_append_str(out, name) != 0)
    return bad_namespaces(err);
  return 0;
}

char *authz_namespaces_parse(const char *text, Error *err) {
  CLEANUP(buf_deinit) Buf list = BUF_INIT(NAMESPACES_SIZE);
  if (str_equal(text, "*"))
    return str_dup(text);
  size_t n = 0;
  for (const char *at = text;; at++) {
    size_t len = strcspn(at, ",");
    CLEANUP(str_freep) char *name = str_ndup(at, len);
    if (add_namespace(&list, n++, name, err) != 0)
      return NULL;
    at += len;
    if (!*at)
      return str_dup(buf_str(&list));
  }
}

static char *read_namespaces(const json_t *array, Error *err) {
  CLEANUP(buf_deinit) Buf list = BUF_INIT(NAMESPACES_SIZE);
  size_t i, n = json_array_size(array);
  const json_t *item;
  if (n == 1 && str_equal(json_string_value(json_array_get(array, 0)), "*"))
    return str_dup("*");
  json_array_foreach(array, i, item) {
    const char *name = json_string_value(item);
    if (add_namespace(&list, i, name ? name : "", err) != 0)
      return NULL;
  }
  if (n == 0) {
    (void)bad_namespaces(err);
    return NULL;
  }
  return str_dup(buf_str(&list));
}

static int read_role(const char *text, AuthzRole *ret_role, Error *err) {
  *ret_role = str_equal(text, "admin") ? AUTHZ_ADMIN : AUTHZ_USER;
  if (*ret_role == AUTHZ_USER && !str_equal(text, "user"))
    return error_field(err, "role", "must be user or admin");
  return 0;
}

static int read_expiry(const json_t *value, int64_t *ret_s, Error *err) {
  int64_t ms;
  *ret_s = INT64_MAX;
  if (!value)
    return 0;
  const char *text = json_string_value(value);
  if (!text || clock_parse_rfc3339(text, &ms) != 0)
    return error_field(err, "expires", "must be a time of RFC 3339, for example 2027-01-01T00:00:00Z");
  *ret_s = ms / 1000;
  return 0;
}

static int check_fields(const json_t *object, Error *err) {
  static const char *const KNOWN[] = {"id", "hash", "tenant", "role", "namespaces", "expires"};
  const char *name;
  json_t *value;
  json_object_foreach((json_t *)object, name, value) {
    bool known = false;
    for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
      known |= str_equal(name, KNOWN[i]);
    if (!known)
      return error_field(err, "", "a key has no field \"%.40s\"", name);
  }
  return 0;
}

static int read_object(const json_t *object, AuthzKey *key, Error *err) {
  const char *id = json_string_value(json_object_get(object, "id")),
             *tenant = json_string_value(json_object_get(object, "tenant"));
  if (check_fields(object, err) != 0)
    return -1;
  if (!id || !is_id(id, strlen(id)))
    return error_field(err, "id", "must be %d of %s", AUTHZ_KEY_ID_LEN, ID_ALPHABET);
  memcpy(key->id, id, AUTHZ_KEY_ID_LEN + 1);
  if (!tenant || !str_is_dns_label(tenant))
    return error_field(err, "tenant", "must be a DNS label");
  if (read_hash(json_string_value(json_object_get(object, "hash")), key->hash, err) != 0 ||
      read_role(json_string_value(json_object_get(object, "role")), &key->role, err) != 0 ||
      read_expiry(json_object_get(object, "expires"), &key->expire_s, err) != 0)
    return -1;
  key->namespaces = read_namespaces(json_object_get(object, "namespaces"), err);
  if (!key->namespaces)
    return -1;
  key->tenant = str_dup(tenant);
  return 0;
}

int authz_key_parse(const char *line, size_t len, AuthzKey *ret_key, Error *err) {
  *ret_key = (AuthzKey){0};
  while (len > 0 && strchr(" \t\r", *line) && *line)
    line++, len--;
  while (len > 0 && line[len - 1] && strchr(" \t\r", line[len - 1]))
    len--;
  if (len == 0 || *line == '#')
    return 0;
  json_auto_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
  if (!json_is_object(object))
    return error_set(err, ERROR_INVALID_ARGUMENT, "must be an object of JSON, or a comment");
  return read_object(object, ret_key, err) == 0 ? 1 : -1;
}

void authz_key_write(const AuthzKey *key, Buf *out) {
  char hash[2 * AUTHZ_HASH_LEN + 1], expires[32] = "";
  str_hex(key->hash, AUTHZ_HASH_LEN, hash);
  json_auto_t *object = json_pack("{s:s,s:s+,s:s,s:s,s:[]}", "id", key->id, "hash", HASH_PREFIX, hash, "tenant",
                                  key->tenant, "role", authz_role_name(key->role), "namespaces");
  json_t *list = json_object_get(object, "namespaces");
  for (const char *at = key->namespaces; *at;) {
    size_t n = strcspn(at, ",");
    json_array_append_new(list, json_stringn(at, n));
    at += n + (at[n] == ',');
  }
  if (key->expire_s != INT64_MAX) {
    clock_format_rfc3339(key->expire_s * 1000, expires, sizeof expires);
    json_object_set_new(object, "expires", json_string(expires));
  }
  char *text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER);
  if (!text || buf_printf(out, "%s\n", text) != 0)
    abort();
  free(text);
}

/* Each of 32 characters stands for five of the random bits. */
static void make_id(char out[AUTHZ_KEY_ID_LEN + 1]) {
  uint8_t bytes[AUTHZ_KEY_ID_LEN];
  random_bytes(bytes, sizeof bytes);
  for (size_t i = 0; i < AUTHZ_KEY_ID_LEN; i++)
    out[i] = ID_ALPHABET[bytes[i] % 32];
  out[AUTHZ_KEY_ID_LEN] = 0;
}

void authz_key_make(AuthzKey *key, char ret_text[AUTHZ_KEY_TEXT_LEN + 1]) {
  uint8_t secret[SECRET_BYTES];
  Buf text = BUF_INIT(AUTHZ_KEY_TEXT_LEN + 1);
  make_id(key->id);
  random_bytes(secret, sizeof secret);
  if (buf_printf(&text, AUTHZ_KEY_PREFIX "%s_", key->id) != 0 ||
      str_base64_encode(&text, secret, sizeof secret, true) != 0 || text.len != AUTHZ_KEY_TEXT_LEN)
    abort();
  memcpy(ret_text, text.data, AUTHZ_KEY_TEXT_LEN + 1);
  crypto_sha256(text.data, text.len, key->hash);
  explicit_bzero(secret, sizeof secret);
  explicit_bzero(text.data, text.len);
  buf_deinit(&text);
}

bool authz_key_id_of(const char *text, char ret_id[AUTHZ_KEY_ID_LEN + 1]) {
  const char *id = text + strlen(AUTHZ_KEY_PREFIX);
  if (strlen(text) != AUTHZ_KEY_TEXT_LEN || !str_starts_with(text, AUTHZ_KEY_PREFIX) || !is_id(id, AUTHZ_KEY_ID_LEN) ||
      id[AUTHZ_KEY_ID_LEN] != '_')
    return false;
  memcpy(ret_id, id, AUTHZ_KEY_ID_LEN);
  ret_id[AUTHZ_KEY_ID_LEN] = 0;
  return true;
}

bool authz_key_matches(const AuthzKey *key, const char *text) {
  uint8_t hash[AUTHZ_HASH_LEN];
  crypto_sha256(text, strlen(text), hash);
  return crypto_equal(hash, sizeof hash, key->hash, sizeof key->hash);
}
