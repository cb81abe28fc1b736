/* See tls_carrier.h. OpenSSL reads and writes by a BIO of ours, because its own for sockets may raise SIGPIPE. */
#include "lib/crypto/tls_carrier.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/crypto/tls.h"

/* A record holds no more, and each is sent as it is made. */
enum { RECORD_MAX = 16 << 10 };

typedef struct TlsCarrier {
  StreamCarrier carrier;
  SSL *ssl;
  int fd;
  int errnum;      /* of the socket; its end counts as ECONNRESET */
  bool plain_http; /* what came instead of a handshake */
  char trouble[160];
} TlsCarrier;

/* ---- the socket, as OpenSSL sees it ---- */

static int socket_write(BIO *bio, const char *data, int len) {
  TlsCarrier *t = BIO_get_data(bio);
  ssize_t n;
  do
    n = send(t->fd, data, (size_t)len, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  BIO_clear_retry_flags(bio);
  if (n < 0 && errno == EAGAIN)
    BIO_set_retry_write(bio);
  else if (n < 0)
    t->errnum = errno;
  return (int)n;
}

static int socket_read(BIO *bio, char *data, int len) {
  TlsCarrier *t = BIO_get_data(bio);
  ssize_t n;
  do
    n = recv(t->fd, data, (size_t)len, 0);
  while (n < 0 && errno == EINTR);
  BIO_clear_retry_flags(bio);
  if (n < 0 && errno == EAGAIN)
    BIO_set_retry_read(bio);
  else if (n <= 0)
    t->errnum = n ? errno : ECONNRESET;
  return (int)n;
}

/* Nothing is held back, so flushing has always been done; nothing else is offered. */
static long socket_ctrl(BIO *bio, int command, long number, void *pointer) {
  return command == BIO_CTRL_FLUSH;
}

/* Constant once it is made. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method;

static void make_method(void) {
  method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
  if (!method || !BIO_meth_set_write(method, socket_write) || !BIO_meth_set_read(method, socket_read) ||
      !BIO_meth_set_ctrl(method, socket_ctrl))
    abort();
}

/* ---- the stream's side ---- */

/* What an SSL call that did not succeed means for its caller. */
static int failed(TlsCarrier *t, int result, int *ret_on) {
  int why = SSL_get_error(t->ssl, result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
    *ret_on = why == SSL_ERROR_WANT_READ ? LOOP_READ : LOOP_WRITE;
    return errno = EAGAIN, -1;
  }
  if (why == SSL_ERROR_ZERO_RETURN)
    return 0;
  if (t->errnum)
    return errno = t->errnum, -1;
  snprintf(t->trouble, sizeof t->trouble, "TLS: %s", tls_trouble(t->ssl));
  return errno = EPROTO, -1;
}

static ssize_t carrier_read(StreamCarrier *self, void *data, size_t len, int *ret_on) {
  TlsCarrier *t = (TlsCarrier *)self;
  ERR_clear_error();
  int n = SSL_read(t->ssl, data, (int)len);
  return n > 0 ? n : failed(t, n, ret_on);
}

static ssize_t carrier_write(StreamCarrier *self, const void *data, size_t len, int *ret_on) {
  TlsCarrier *t = (TlsCarrier *)self;
  ERR_clear_error();
  int n = SSL_write(t->ssl, data, len < RECORD_MAX ? (int)len : RECORD_MAX);
  if (n > 0)
    return n;
  /* an end is none of the other way's; should OpenSSL ever say so, nothing more is taken */
  if (failed(t, n, ret_on) == 0)
    errno = EPIPE;
  return -1;
}

static int carrier_end(StreamCarrier *self, int *ret_on) {
  TlsCarrier *t = (TlsCarrier *)self;
  ERR_clear_error();
  int n = SSL_in_init(t->ssl) ? SSL_do_handshake(t->ssl) : 1;
  if (n == 1)
    n = SSL_shutdown(t->ssl);
  return n >= 0 ? 0 : failed(t, n, ret_on);
}

static bool carrier_holds(const StreamCarrier *self) {
  return SSL_has_pending(((const TlsCarrier *)self)->ssl);
}

static const char *carrier_trouble(const StreamCarrier *self) {
  return ((const TlsCarrier *)self)->trouble;
}

static void carrier_free(StreamCarrier *self) {
  SSL_free(((TlsCarrier *)self)->ssl);
  free(self);
}

int tls_carrier_handshake(StreamCarrier *self, int *ret_on) {
  TlsCarrier *t = (TlsCarrier *)self;
  ERR_clear_error();
  int n = SSL_do_handshake(t->ssl);
  if (n == 1)
    return 0;
  t->plain_http = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
  if (failed(t, n, ret_on) == 0)
    errno = ECONNRESET;
  return -1;
}

bool tls_carrier_met_http(const StreamCarrier *self) {
  return ((const TlsCarrier *)self)->plain_http;
}

StreamCarrier *tls_carrier_new(SSL *ssl, int fd) {
  pthread_once(&once, make_method);
  TlsCarrier *t = new0(TlsCarrier);
  *t = (TlsCarrier){.carrier = {.read = carrier_read,
                                .write = carrier_write,
                                .end = carrier_end,
                                .holds = carrier_holds,
                                .trouble = carrier_trouble,
                                .free = carrier_free},
                    .ssl = ssl,
                    .fd = fd};
  BIO *bio = BIO_new(method);
  if (!bio)
    abort();
  BIO_set_data(bio, t);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);
  /* what waits is moved in memory and grows; as much is read at a time as there is */
  SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_set_read_ahead(ssl, 1);
  return &t->carrier;
}
