/* What all connections of one side have in common, made from texts or files: for tls.c. */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_CONTEXT_H_
#define SANDPLANE_LIB_CRYPTO_TLS_CONTEXT_H_

#include "lib/crypto/tls.h"

struct ssl_ctx_st;

/* The caller frees it. NULL and err: as of tls_new. */
struct ssl_ctx_st *tls_context_new(TlsSide side, const TlsSource *source, Error *err);

#endif
