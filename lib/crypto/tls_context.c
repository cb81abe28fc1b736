/* See tls_context.h. */
#include "lib/crypto/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/crypto/pem.h"
#include "lib/crypto/tls_suites.h"

DEFINE_CLEANUP(SSL_CTX *, context_freep, SSL_CTX_free)

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
    /* a server tells their names, by which clients choose what they show */
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), sk_X509_value(list, i)) != 1 ||
        SSL_CTX_add_client_CA(ctx, sk_X509_value(list, i)) != 1)
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

static int load_authorities(TlsSide side, SSL_CTX *ctx, const TlsSource *source, Error *err) {
  if (side == TLS_SERVER) {
    if (source->clients == TLS_CLIENTS_NOT_ASKED)
      return 0;
    return load_part(ctx, source, source->ca, "client-ca-file", use_authorities, err);
  }
  if (!str_empty(source->ca))
    return load_part(ctx, source, source->ca, "ca-file", use_authorities, err);
  return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : pem_fail(err, "the system's authorities cannot be used");
}

static int load(TlsSide side, SSL_CTX *ctx, const TlsSource *source, Error *err) {
  if (load_authorities(side, ctx, source, err))
    return -1;
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

static void set_server(SSL_CTX *ctx, const TlsSource *source) {
  SSL_CTX_set_num_tickets(ctx, 0);
  SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
  /* a server's connections may be many, and most of them idle */
  SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
  if (source->protocols)
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, (void *)source->protocols);
  if (source->clients == TLS_CLIENTS_OPTIONAL)
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  else if (source->clients == TLS_CLIENTS_REQUIRED)
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static int set_suites(SSL_CTX *ctx, const TlsSource *source, Error *err) {
  CLEANUP(str_freep) char *list = NULL;
  if (!str_empty(source->suites)) {
    if (tls_suites_parse(source->suites, &list, err))
      return error_prefix(err, "%scipher-suites", source->flags ? source->flags : "");
    if (!*list && source->min_version == TLS_VERSION_1_2)
      return error_set(err, ERROR_INVALID_ARGUMENT, "%scipher-suites: none of these is of TLS 1.2, which is allowed",
                       source->flags ? source->flags : "");
  }
  if (SSL_CTX_set_cipher_list(ctx, str_empty(list) ? "ECDHE+AESGCM:ECDHE+CHACHA20" : list) != 1)
    abort();
  return 0;
}

SSL_CTX *tls_context_new(TlsSide side, const TlsSource *source, Error *err) {
  CLEANUP(context_freep) SSL_CTX *ctx = SSL_CTX_new(side == TLS_SERVER ? TLS_server_method() : TLS_client_method());
  int min_version = source->min_version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (!ctx || !SSL_CTX_set_min_proto_version(ctx, min_version))
    abort();
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  if (side == TLS_CLIENT)
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  else
    set_server(ctx, source);
  if (set_suites(ctx, source, err) || load(side, ctx, source, err))
    return NULL;
  SSL_CTX *result = ctx;
  ctx = NULL;
  return result;
}
