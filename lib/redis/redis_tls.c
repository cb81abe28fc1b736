/* See redis_tls.h. */
#include "lib/redis/redis_tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/str.h"

/* Nobody is there to type one. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *arg) {
  return -1;
}

static int fail(Error *err, const char *flag, const char *path) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return error_set(err, ERROR_INVALID_ARGUMENT, "--%s: %s: %s", flag, path, reason ? reason : "cannot be used");
}

static int load(SSL_CTX *ctx, const RedisConfig *c, Error *err) {
  if (str_empty(c->ca_file) ? SSL_CTX_set_default_verify_paths(ctx) != 1
                            : SSL_CTX_load_verify_locations(ctx, c->ca_file, NULL) != 1)
    return fail(err, "redis-ca-file", str_empty(c->ca_file) ? "the system's" : c->ca_file);
  if (str_empty(c->cert_file))
    return 0;
  SSL_CTX_set_default_passwd_cb(ctx, no_pass_phrase);
  if (SSL_CTX_use_certificate_chain_file(ctx, c->cert_file) != 1)
    return fail(err, "redis-cert-file", c->cert_file);
  if (SSL_CTX_use_PrivateKey_file(ctx, c->key_file, SSL_FILETYPE_PEM) != 1 || SSL_CTX_check_private_key(ctx) != 1)
    return fail(err, "redis-key-file", c->key_file);
  return 0;
}

static SSL_CTX *new_context(const RedisConfig *c, Error *err) {
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  if (!ctx || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) ||
      !SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20"))
    abort();
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!load(ctx, c, err))
    return ctx;
  SSL_CTX_free(ctx);
  return NULL;
}

int redis_tls_check(const RedisConfig *c, Error *err) {
  SSL_CTX *ctx = new_context(c, err);
  SSL_CTX_free(ctx);
  return ctx ? 0 : -1;
}

static bool is_number(const char *host) {
  struct in6_addr any;
  return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

SSL *redis_tls_new(const RedisConfig *c, const char *server_name, Error *err) {
  SSL_CTX *ctx = new_context(c, err);
  if (!ctx)
    return NULL;
  SSL *ssl = SSL_new(ctx);
  SSL_CTX_free(ctx); /* the connection keeps it */
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  if (!ssl || !in || !out)
    abort();
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(ssl, in, out);
  SSL_set_connect_state(ssl);
  bool ok = is_number(server_name)
                ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server_name) == 1
                : SSL_set1_host(ssl, server_name) == 1 && SSL_set_tlsext_host_name(ssl, server_name) == 1;
  if (ok)
    return ssl;
  SSL_free(ssl);
  error_set(err, ERROR_INVALID_ARGUMENT, "'%s' cannot be a name in a certificate", server_name);
  return NULL;
}

const char *redis_tls_trouble(const SSL *ssl) {
  long verify = SSL_get_verify_result(ssl);
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return verify != X509_V_OK ? X509_verify_cert_error_string(verify) : reason ? reason : "the connection broke off";
}
