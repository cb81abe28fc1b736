/* See https_tls.h. */
#include "lib/https/https_tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdlib.h>

static int fail(Error *err, const char *what) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

/* Nobody is there to type one. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *arg) {
  return -1;
}

static int use_certificates(SSL_CTX *ctx, BIO *bio, Error *err) {
  X509 *cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL);
  int used = cert ? SSL_CTX_use_certificate(ctx, cert) : 0;
  X509_free(cert);
  if (used != 1)
    return fail(err, "the certificate cannot be read");
  while ((cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL))) {
    if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
      X509_free(cert);
      return fail(err, "the certificate's chain cannot be used");
    }
  }
  /* the end of the text is told as an error as well */
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
    return fail(err, "the certificate's chain cannot be read");
  ERR_clear_error();
  return 0;
}

static int use_key(SSL_CTX *ctx, BIO *bio, Error *err) {
  EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
  int used = key ? SSL_CTX_use_PrivateKey(ctx, key) : 0;
  EVP_PKEY_free(key);
  if (used != 1 || SSL_CTX_check_private_key(ctx) != 1)
    return fail(err, "the key cannot be read or is not the certificate's");
  return 0;
}

/* Clients that ask get HTTP/1.1 or, when they speak other protocols only, no answer to the question. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *arg) {
  static const unsigned char OURS[] = "\x08http/1.1";
  unsigned char *chosen;
  if (SSL_select_next_proto(&chosen, out_len, OURS, sizeof OURS - 1, in, in_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(void) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
  if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
      !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"))
    abort();
  /* no resumption: connections are few and live long, and a resumed one would outlive its certificate */
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
  return ctx;
}

SSL_CTX *https_tls_context(const char *cert_pem, const char *key_pem, Error *err) {
  SSL_CTX *ctx = new_context();
  BIO *cert = BIO_new_mem_buf(cert_pem, -1), *key = BIO_new_mem_buf(key_pem, -1);
  if (!cert || !key)
    abort();
  if (use_certificates(ctx, cert, err) || use_key(ctx, key, err)) {
    SSL_CTX_free(ctx);
    ctx = NULL;
  }
  BIO_free(cert);
  BIO_free(key);
  return ctx;
}
