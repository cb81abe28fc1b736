/* See tls_stream.h. */
#include "lib/crypto/tls_stream.h"

#include <openssl/ssl.h>

#include "lib/crypto/tls_carrier.h"

Stream *tls_stream_new(Loop *loop, int fd, SSL *ssl, size_t in_max, const StreamHandlers *handlers, void *arg) {
  int first = SSL_is_server(ssl) ? LOOP_READ : LOOP_WRITE;
  return stream_new_carried(loop, fd, tls_carrier_new(ssl, fd), first, in_max, handlers, arg);
}
