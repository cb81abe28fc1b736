/* See tls.h. */
#include "lib/crypto/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/crypto/pem.h"
#include "lib/crypto/tls_context.h"

DEFINE_CLEANUP(SSL_CTX *, context_freep, SSL_CTX_free)
DEFINE_CLEANUP(BIO *, bio_freep, BIO_free)

struct Tls {
  TlsSide side;
  pthread_mutex_t lock; /* of ctx, the pointer */
  SSL_CTX *ctx;
};

/* The one in force; the caller frees it. */
static SSL_CTX *context_of(Tls *tls) {
  pthread_mutex_lock(&tls->lock);
  SSL_CTX *ctx = tls->ctx;
  if (!SSL_CTX_up_ref(ctx))
    abort();
  pthread_mutex_unlock(&tls->lock);
  return ctx;
}

int tls_load(Tls *tls, const TlsSource *source, Error *err) {
  SSL_CTX *ctx = tls_context_new(tls->side, source, err);
  if (!ctx)
    return -1;
  pthread_mutex_lock(&tls->lock);
  SSL_CTX *old = tls->ctx;
  tls->ctx = ctx;
  pthread_mutex_unlock(&tls->lock);
  /* connections hold it as long as they need it */
  SSL_CTX_free(old);
  return 0;
}

Tls *tls_new(TlsSide side, const TlsSource *source, Error *err) {
  SSL_CTX *ctx = tls_context_new(side, source, err);
  if (!ctx)
    return NULL;
  Tls *tls = new0(Tls);
  *tls = (Tls){.side = side, .lock = PTHREAD_MUTEX_INITIALIZER, .ctx = ctx};
  return tls;
}

void tls_free(Tls *tls) {
  if (!tls)
    return;
  SSL_CTX_free(tls->ctx);
  pthread_mutex_destroy(&tls->lock);
  free(tls);
}

int64_t tls_expiry_ms(Tls *tls) {
  CLEANUP(context_freep) SSL_CTX *ctx = context_of(tls);
  const X509 *cert = SSL_CTX_get0_certificate(ctx);
  return cert ? pem_end_ms(cert) : -1;
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

SSL *tls_connection(Tls *tls, const char *server_name, Error *err) {
  CLEANUP(context_freep) SSL_CTX *ctx = context_of(tls);
  SSL *ssl = SSL_new(ctx);
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

char *tls_peer_subject(const SSL *ssl) {
  X509 *cert = SSL_get0_peer_certificate(ssl);
  if (!cert || SSL_get_verify_result(ssl) != X509_V_OK)
    return NULL;
  CLEANUP(bio_freep) BIO *bio = BIO_new(BIO_s_mem());
  char *text;
  if (!bio || X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) < 0)
    abort();
  long len = BIO_get_mem_data(bio, &text);
  return str_ndup(text, (size_t)len);
}

void tls_protocol(const SSL *ssl, char *out, size_t size) {
  const unsigned char *name;
  unsigned len;
  SSL_get0_alpn_selected(ssl, &name, &len);
  snprintf(out, size, "%.*s", (int)len, len ? (const char *)name : "");
}
