/* See tls_handshake.h. */
#include "lib/crypto/tls_handshake.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/crypto/tls_carrier.h"

struct TlsHandshake {
  Loop *loop;
  int fd;
  StreamCarrier *carrier; /* NULL: it is the stream's, as fd is */
  struct ssl_st *ssl;     /* the carrier's */
  LoopFd *watch;
  LoopTimer *timer;
  void (*done)(void *arg, TlsOutcome outcome);
  void *arg;
};

/* done may free it. */
static void finish(TlsHandshake *h, TlsOutcome outcome) {
  loop_fd_free(h->watch);
  h->watch = NULL;
  loop_timer_stop(h->timer);
  h->done(h->arg, outcome);
}

static void on_event(int events, void *arg) {
  TlsHandshake *h = arg;
  int next = LOOP_READ;
  if (tls_carrier_handshake(h->carrier, &next) == 0)
    finish(h, TLS_AGREED);
  else if (errno == EAGAIN)
    loop_fd_set(h->watch, next);
  else if (tls_carrier_met_http(h->carrier))
    finish(h, TLS_PLAIN_HTTP);
  else
    finish(h, errno == EPROTO ? TLS_REFUSED : TLS_BROKEN);
}

static void on_timer(void *arg) {
  finish(arg, TLS_TIMED_OUT);
}

TlsHandshake *tls_handshake_new(Loop *loop, int fd, struct ssl_st *ssl, int64_t timeout_ms,
                                void (*done)(void *arg, TlsOutcome outcome), void *arg) {
  TlsHandshake *h = new0(TlsHandshake);
  *h =
      (TlsHandshake){.loop = loop, .fd = fd, .carrier = tls_carrier_new(ssl, fd), .ssl = ssl, .done = done, .arg = arg};
  h->watch = loop_fd_new(loop, fd, LOOP_READ, on_event, h);
  h->timer = loop_timer_new(loop, on_timer, h);
  loop_timer_start(h->timer, timeout_ms);
  return h;
}

void tls_handshake_free(TlsHandshake *h) {
  if (!h)
    return;
  loop_fd_free(h->watch);
  loop_timer_free(h->timer);
  if (h->carrier)
    h->carrier->free(h->carrier);
  if (h->fd >= 0)
    close(h->fd);
  free(h);
}

Stream *tls_handshake_take(TlsHandshake *h, size_t in_max, const StreamHandlers *handlers, void *arg) {
  Stream *stream = stream_new_carried(h->loop, h->fd, h->carrier, LOOP_READ, in_max, handlers, arg);
  h->fd = -1;
  h->carrier = NULL;
  /* what came with the handshake's last bytes is told by no event */
  stream_show_again(stream);
  return stream;
}

const struct ssl_st *tls_handshake_ssl(const TlsHandshake *h) {
  return h->ssl;
}

const char *tls_handshake_trouble(const TlsHandshake *h) {
  return h->carrier->trouble(h->carrier);
}

int tls_handshake_fd(const TlsHandshake *h) {
  return h->fd;
}
