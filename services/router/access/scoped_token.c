/* See scoped_token.h. */
#include "services/router/access/scoped_token.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"

#define CONTEXT "agent-sandbox/scoped-token/v1."

/* A label, a name of 253 characters, a number and JSON around them take under 600 bytes. */
enum { MAX_TOKEN = 1024 };

static bool mac_matches(const char *payload, size_t payload_len, const char *mac, const void *secret,
                        size_t secret_len) {
  CLEANUP(buf_deinit) Buf given = BUF_INIT(MAX_TOKEN), signed_text = BUF_INIT(MAX_TOKEN + sizeof CONTEXT);
  if (str_base64_decode(&given, mac, strlen(mac), true) != 0)
    return false;
  if (buf_append_str(&signed_text, CONTEXT) != 0 || buf_append(&signed_text, payload, payload_len) != 0)
    return false;
  uint8_t want[CRYPTO_SHA256_LEN];
  crypto_hmac_sha256(secret, secret_len, signed_text.data, signed_text.len, want);
  return crypto_equal(want, sizeof want, given.data, given.len);
}

/* Namespace and name, as target.h has them. */
static bool copy_names(const json_t *object, ScopedToken *token) {
  const char *ns = json_string_value(json_object_get(object, "ns")),
             *name = json_string_value(json_object_get(object, "name"));
  if (!str_is_dns_label(ns) || !str_is_object_name(name))
    return false;
  snprintf(token->ns, sizeof token->ns, "%s", ns);
  snprintf(token->name, sizeof token->name, "%s", name);
  return true;
}

bool scoped_token_verify(const char *token, const void *secret, size_t secret_len, int64_t now_s,
                         ScopedToken *ret_token) {
  if (strlen(token) > MAX_TOKEN || !str_starts_with(token, "v1."))
    return false;
  const char *payload = token + 3, *dot = strchr(payload, '.');
  if (!dot || !mac_matches(payload, (size_t)(dot - payload), dot + 1, secret, secret_len))
    return false;
  CLEANUP(buf_deinit) Buf text = BUF_INIT(MAX_TOKEN);
  if (str_base64_decode(&text, payload, (size_t)(dot - payload), true) != 0)
    return false;
  json_auto_t *object = json_loadb(buf_str(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
  const json_t *exp = json_object_get(object, "exp");
  if (!json_is_integer(exp) || !copy_names(object, ret_token))
    return false;
  ret_token->exp_s = json_integer_value(exp);
  return now_s < ret_token->exp_s;
}
