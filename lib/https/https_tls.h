/* The TLS half of the server's settings: certificate and protocol, as one OpenSSL context. */
#ifndef SANDPLANE_LIB_HTTPS_HTTPS_TLS_H_
#define SANDPLANE_LIB_HTTPS_HTTPS_TLS_H_

#include "lib/base/error.h"

/* An SSL_CTX; NULL and err when certificate and key cannot be used together. */
struct ssl_ctx_st *https_tls_context(const char *cert_pem, const char *key_pem, Error *err);

#endif
