/* A stream in TLS. Handshake and goodbye are its own: on_eof is the peer's goodbye, and a connection that ends without
 * one is an error (ECONNRESET), for something may be missing. */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_STREAM_H_
#define SANDPLANE_LIB_CRYPTO_TLS_STREAM_H_

#include "lib/loop/stream.h"

struct ssl_st;

/* Owns fd, which is connected, and ssl (tls_connection). A handshake that fails is on_error with EPROTO. */
Stream *tls_stream_new(Loop *loop, int fd, struct ssl_st *ssl, size_t in_max, const StreamHandlers *handlers,
                       void *arg);

#endif
