/* See tls.h. */
#include "lib/crypto/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/crypto/pem.h"

struct Tls {
  TlsSide side;
  SSL_CTX *ctx;
};

static void bio_freep(BIO **bio) {
  BIO_free(*bio);
}

/* ---- what is loaded ---- */

static int use_certificates(SSL_CTX *ctx, BIO *bio, Error *err) {
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *list = pem_certificates(bio, "the certificate or its chain cannot be read", err);
  if (!list)
    return -1;
  if (SSL_CTX_use_certificate(ctx, sk_X509_value(list, 0)) != 1)
    return pem_fail(err, "the certificate cannot be used");
  for (int i = 1; i < sk_X509_num(list); i++)
    if (SSL_CTX_add1_chain_cert(ctx, sk_X509_value(list, i)) != 1)
      return pem_fail(err, "the certificate's chain cannot be used");
  return 0;
}

static int use_key(SSL_CTX *ctx, BIO *bio, Error *err) {
  EVP_PKEY *key = pem_key(bio);
  int used = key ? SSL_CTX_use_PrivateKey(ctx, key) : 0;
  EVP_PKEY_free(key);
  if (used != 1 || SSL_CTX_check_private_key(ctx) != 1)
    return pem_fail(err, "the key cannot be read or is not the certificate's");
  return 0;
}

static int use_authorities(SSL_CTX *ctx, BIO *bio, Error *err) {
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *list = pem_certificates(bio, "the authorities cannot be read", err);
  for (int i = 0; list && i < sk_X509_num(list); i++)
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), sk_X509_value(list, i)) != 1)
      return pem_fail(err, "the authorities cannot be used");
  return list ? 0 : -1;
}

static BIO *open_part(const TlsSource *source, const char *part, Error *err) {
  FILE *file = source->files ? fopen(part, "re") : NULL;
  if (source->files && !file) {
    error_set(err, ERROR_INVALID_ARGUMENT, "%s", strerror(errno));
    return NULL;
  }
  BIO *bio = file ? BIO_new_fp(file, BIO_CLOSE) : BIO_new_mem_buf(part, -1);
  if (!bio)
    abort();
  return bio;
}

/* name: of the flag behind source->flags. */
static int load_part(SSL_CTX *ctx, const TlsSource *source, const char *part, const char *name,
                     int (*use)(SSL_CTX *ctx, BIO *bio, Error *err), Error *err) {
  CLEANUP(bio_freep) BIO *bio = open_part(source, part, err);
  int rc = bio ? use(ctx, bio, err) : -1;
  return rc && source->files ? error_prefix(err, "%s%s: %s", source->flags, name, part) : rc;
}

static int load(TlsSide side, SSL_CTX *ctx, const TlsSource *source, Error *err) {
  if (!str_empty(source->ca)) {
    if (load_part(ctx, source, source->ca, "ca-file", use_authorities, err))
      return -1;
  } else if (side == TLS_CLIENT && SSL_CTX_set_default_verify_paths(ctx) != 1) {
    return pem_fail(err, "the system's authorities cannot be used");
  }
  if (side == TLS_CLIENT && str_empty(source->cert))
    return 0;
  if (load_part(ctx, source, source->cert, "cert-file", use_certificates, err))
    return -1;
  return load_part(ctx, source, source->key, "key-file", use_key, err);
}

/* ---- contexts ---- */

/* Clients that ask get a protocol of ours or, when they speak other ones only, no answer to the question. */
static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                           unsigned in_len, void *ours) {
  unsigned char *chosen;
  if (SSL_select_next_proto(&chosen, out_len, ours, (unsigned)strlen(ours), in, in_len) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *new_context(TlsSide side, const char *protocols) {
  SSL_CTX *ctx = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
  if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
      !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"))
    abort();
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (side == TLS_CLIENT) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
  }
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  /* a server's connections may be many, and most of them idle */
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  if (protocols)
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, (void *)protocols);
  return ctx;
}

int tls_load(Tls *tls, const TlsSource *source, Error *err) {
  SSL_CTX *ctx = new_context(tls->side, source->protocols);
  if (load(tls->side, ctx, source, err)) {
    SSL_CTX_free(ctx);
    return -1;
  }
  /* connections hold the old one as long as they need it */
  SSL_CTX_free(tls->ctx);
  tls->ctx = ctx;
  return 0;
}

Tls *tls_new(TlsSide side, const TlsSource *source, Error *err) {
  Tls *tls = new0(Tls);
  tls->side = side;
  if (tls_load(tls, source, err) == 0)
    return tls;
  tls_free(tls);
  return NULL;
}

void tls_free(Tls *tls) {
  if (!tls)
    return;
  SSL_CTX_free(tls->ctx);
  free(tls);
}

/* ---- connections ---- */

static bool is_number(const char *host) {
  struct in6_addr any;
  return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

static bool expect(SSL *ssl, const char *server_name) {
  if (is_number(server_name))
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name) == 1;
  return SSL_set1_host(ssl, server_name) == 1 && SSL_set_tlsext_host_name(ssl, server_name) == 1;
}

SSL *tls_connection(const Tls *tls, const char *server_name, Error *err) {
  SSL *ssl = SSL_new(tls->ctx);
  if (!ssl)
    abort();
  if (tls->side == TLS_SERVER) {
    SSL_set_accept_state(ssl);
    return ssl;
  }
  SSL_set_connect_state(ssl);
  if (expect(ssl, server_name))
    return ssl;
  SSL_free(ssl);
  ERR_clear_error();
  error_set(err, ERROR_INVALID_ARGUMENT, "'%s' cannot be a name in a certificate", server_name);
  return NULL;
}

const char *tls_trouble(const SSL *ssl) {
  long verify = SSL_get_verify_result(ssl);
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return verify != X509_V_OK ? X509_verify_cert_error_string(verify) : reason ? reason : "the connection broke off";
}
