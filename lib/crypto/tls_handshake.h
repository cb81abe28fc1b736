/* A server's handshake with one client, until it is a stream: what must not last long, and is to be known before the
 * first byte is read. On the loop's thread. */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_HANDSHAKE_H_
#define SANDPLANE_LIB_CRYPTO_TLS_HANDSHAKE_H_

#include <stdint.h>

#include "lib/loop/stream.h"

struct ssl_st;

typedef struct TlsHandshake TlsHandshake;

typedef enum TlsOutcome {
  TLS_AGREED,
  TLS_REFUSED,    /* by either side: no common version, a certificate that is not good, no TLS at all */
  TLS_BROKEN,     /* the client has gone */
  TLS_TIMED_OUT,  /* it was not done in time */
  TLS_PLAIN_HTTP, /* the client speaks HTTP without TLS, and would read an answer without */
} TlsOutcome;

/* Owns fd, a non-blocking socket, and ssl (tls_connection of a server). done runs once, never from inside; it takes the
 * stream, or frees the handshake, or lets its owner do so later. */
TlsHandshake *tls_handshake_new(Loop *loop, int fd, struct ssl_st *ssl, int64_t timeout_ms,
                                void (*done)(void *arg, TlsOutcome outcome), void *arg);
/* NULL-safe; what was not taken is closed. */
void tls_handshake_free(TlsHandshake *handshake);

/* Behind TLS_AGREED, once: the stream; the handshake itself is still to be freed. */
Stream *tls_handshake_take(TlsHandshake *handshake, size_t in_max, const StreamHandlers *handlers, void *arg);
/* Behind TLS_AGREED, before it is taken: for tls_peer_subject and tls_protocol. */
const struct ssl_st *tls_handshake_ssl(const TlsHandshake *handshake);
/* Behind TLS_REFUSED: what TLS says. */
const char *tls_handshake_trouble(const TlsHandshake *handshake);
/* Still the handshake's; -1: it was taken. */
int tls_handshake_fd(const TlsHandshake *handshake);

#endif
