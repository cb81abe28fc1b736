/* See redis_stream.h. TLS works on memory; what it reads and writes there is carried by hand, so that no write ever
 * raises SIGPIPE and the socket has one owner. */
#include "lib/redis/redis_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/crypto/tls.h"

enum { CHUNK = 16 << 10 };

static TlsSource source_of(const RedisConfig *c) {
  return (TlsSource){.files = true, .flags = "--redis-", .cert = c->cert_file, .key = c->key_file, .ca = c->ca_file};
}

int redis_stream_check(const RedisConfig *config, Error *err) {
  TlsSource source = source_of(config);
  Tls *tls = tls_new(TLS_CLIENT, &source, err);
  tls_free(tls);
  return tls ? 0 : -1;
}

int redis_stream_open(RedisStream *s, int fd, const RedisConfig *config, const char *server_name, Error *err) {
  *s = (RedisStream){.fd = fd};
  if (!config->tls)
    return 0;
  TlsSource source = source_of(config);
  Tls *tls = tls_new(TLS_CLIENT, &source, err);
  s->ssl = tls ? tls_connection(tls, server_name, err) : NULL;
  tls_free(tls);
  if (!s->ssl) {
    redis_stream_close(s);
    return -1;
  }
  BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
  if (!in || !out)
    abort();
  BIO_set_mem_eof_return(in, -1);
  SSL_set_bio(s->ssl, in, out);
  SSL_set_mode(s->ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return 0;
}

void redis_stream_close(RedisStream *s) {
  SSL_free(s->ssl);
  if (s->fd >= 0)
    close(s->fd);
  *s = (RedisStream){.fd = -1};
}

bool redis_stream_waits(const RedisStream *s) {
  return s->ssl && BIO_ctrl_pending(SSL_get_wbio(s->ssl)) > 0;
}

bool redis_stream_buffered(const RedisStream *s) {
  return s->ssl && (SSL_has_pending(s->ssl) || BIO_ctrl_pending(SSL_get_rbio(s->ssl)) > 0);
}

int redis_stream_push(RedisStream *s) {
  while (redis_stream_waits(s)) {
    char *data;
    long len = BIO_get_mem_data(SSL_get_wbio(s->ssl), &data);
    ssize_t n = send(s->fd, data, (size_t)len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return errno == EAGAIN ? 0 : -1;
    /* reading takes it out */
    for (char gone[CHUNK]; n > 0;)
      n -= BIO_read(SSL_get_wbio(s->ssl), gone, n < CHUNK ? (int)n : CHUNK);
  }
  return 0;
}

/* What an SSL call that did not succeed means for its caller. */
static ssize_t failed(RedisStream *s, int result) {
  int why = SSL_get_error(s->ssl, result);
  if (redis_stream_push(s))
    return -1;
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
    return errno = EAGAIN, -1;
  if (why == SSL_ERROR_ZERO_RETURN)
    return 0;
  snprintf(s->trouble, sizeof s->trouble, "TLS: %s", tls_trouble(s->ssl));
  return errno = EPROTO, -1;
}

ssize_t redis_stream_read(RedisStream *s, void *data, size_t len) {
  if (!s->ssl)
    return recv(s->fd, data, len, 0);
  /* all that OpenSSL has is read before there is more from the socket */
  ERR_clear_error();
  int n = SSL_read(s->ssl, data, (int)len);
  if (n > 0)
    return n;
  char chunk[CHUNK];
  ssize_t got = recv(s->fd, chunk, sizeof chunk, 0);
  if (got <= 0)
    return got;
  if (BIO_write(SSL_get_rbio(s->ssl), chunk, (int)got) != got)
    abort();
  ERR_clear_error();
  n = SSL_read(s->ssl, data, (int)len);
  return n > 0 ? n : failed(s, n);
}

ssize_t redis_stream_write(RedisStream *s, const void *data, size_t len) {
  if (!s->ssl)
    return send(s->fd, data, len, MSG_NOSIGNAL);
  if (redis_stream_push(s))
    return -1;
  if (redis_stream_waits(s))
    return errno = EAGAIN, -1;
  ERR_clear_error();
  int n = SSL_write(s->ssl, data, len < CHUNK ? (int)len : CHUNK);
  if (n <= 0)
    return failed(s, n);
  return redis_stream_push(s) ? -1 : n;
}

const char *redis_stream_trouble(const RedisStream *s) {
  return *s->trouble ? s->trouble : strerror(errno);
}
