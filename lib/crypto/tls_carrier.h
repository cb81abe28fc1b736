/* What carries a stream's bytes in TLS (lib/loop/stream_carrier.h): for tls_stream.c and tls_handshake.c. */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_CARRIER_H_
#define SANDPLANE_LIB_CRYPTO_TLS_CARRIER_H_

#include "lib/loop/stream_carrier.h"

struct ssl_st;

/* Owns ssl, and uses fd, which stays the caller's. */
StreamCarrier *tls_carrier_new(struct ssl_st *ssl, int fd);
/* 0: done. -1 and errno: EAGAIN with *ret_on, as read; EPROTO, and trouble says why; or of the socket. */
int tls_carrier_handshake(StreamCarrier *carrier, int *ret_on);
/* Whether that failed because the client spoke HTTP without TLS. */
bool tls_carrier_met_http(const StreamCarrier *carrier);

#endif
