/* See tls_suites.h. What a suite is worth is asked of OpenSSL, not of its name. */
#include "lib/crypto/tls_suites.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

DEFINE_CLEANUP(SSL_CTX *, context_freep, SSL_CTX_free)

enum { NAME_MAX_LEN = 64, LIST_MAX = 4096 };

typedef enum Kind { KIND_NONE, KIND_WEAK, KIND_1_2, KIND_1_3 } Kind;

static Kind kind_of_suite(const SSL_CIPHER *suite) {
  int cipher = SSL_CIPHER_get_cipher_nid(suite), who = SSL_CIPHER_get_auth_nid(suite);
  if (SSL_CIPHER_get_kx_nid(suite) == NID_kx_any)
    return KIND_1_3;
  bool strong = cipher == NID_aes_128_gcm || cipher == NID_aes_256_gcm || cipher == NID_chacha20_poly1305 ||
                cipher == NID_aes_128_cbc || cipher == NID_aes_256_cbc;
  bool known = who == NID_auth_ecdsa || who == NID_auth_rsa;
  return strong && known && SSL_CIPHER_get_kx_nid(suite) == NID_kx_ecdhe ? KIND_1_2 : KIND_WEAK;
}

/* A name of OpenSSL's, of one suite and not of a group of them. */
static Kind kind_of(SSL_CTX *scratch, const char *name) {
  Kind kind = KIND_NONE;
  /* OpenSSL would take "ALL", "@SECLEVEL=0" and "!x" as well */
  if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != strlen(name))
    return KIND_NONE;
  if (SSL_CTX_set_cipher_list(scratch, name) == 1 || SSL_CTX_set_ciphersuites(scratch, name) == 1) {
    STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(scratch);
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++)
      if (strcmp(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i)), name) == 0)
        kind = kind_of_suite(sk_SSL_CIPHER_value(all, i));
  }
  ERR_clear_error();
  return kind;
}

/* Of the names that Go has beside IANA's. */
static const char *own_name(const char *name) {
  if (strcmp(name, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305") == 0)
    return "ECDHE-RSA-CHACHA20-POLY1305";
  if (strcmp(name, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305") == 0)
    return "ECDHE-ECDSA-CHACHA20-POLY1305";
  const char *known = OPENSSL_cipher_name(name);
  return known && strcmp(known, "(NONE)") != 0 ? known : name;
}

static int add(SSL_CTX *scratch, const char *name, Buf *out, Error *err) {
  const char *own = own_name(name);
  switch (kind_of(scratch, own)) {
  case KIND_NONE:
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is no cipher suite that is known here", name);
  case KIND_WEAK:
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s' has no forward secrecy or a weak cipher", name);
  case KIND_1_2:
    if (buf_printf(out, "%s%s", out->len ? ":" : "", own))
      return error_set(err, ERROR_INVALID_ARGUMENT, "the list is too long");
    return 0;
  case KIND_1_3:
    return 0;
  }
  return 0;
}

int tls_suites_parse(const char *list, char **ret_list, Error *err) {
  CLEANUP(context_freep) SSL_CTX *scratch = SSL_CTX_new(TLS_server_method());
  CLEANUP(buf_deinit) Buf out = BUF_INIT(LIST_MAX);
  if (!scratch || buf_append_str(&out, ""))
    abort();
  for (;;) {
    char name[NAME_MAX_LEN];
    list += strspn(list, " ");
    size_t all = strcspn(list, ","), len = all;
    while (len > 0 && list[len - 1] == ' ')
      len--;
    if (len == 0 || len >= sizeof name)
      return error_set(err, ERROR_INVALID_ARGUMENT, "'%.*s' is no cipher suite that is known here", (int)len, list);
    memcpy(name, list, len);
    name[len] = 0;
    if (add(scratch, name, &out, err))
      return -1;
    if (!list[all])
      break;
    list += all + 1;
  }
  *ret_list = str_dup(buf_str(&out));
  return 0;
}
