/* See https_shake.h. */
#include "services/router/http/https_shake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "services/router/http/https_tls.h"

/* Two round trips, with one packet lost. */
#define SHAKE_TIMEOUT_MS 5000
/* Of one loop: some 30 KiB each, and a tenth of the connections that it may have by default. */
#define SHAKES_MAX 1000

struct HttpsShakes {
  Router *router;
  HttpsShakeHandlers handlers;
  void *arg;
  List all; /* of Shake, the oldest first */
  size_t n;
};

typedef struct Shake {
  ListLink link;
  HttpsShakes *of;
  TlsHandshake *handshake;
  char peer_ip[64];
} Shake;

static void shake_free(Shake *s) {
  list_remove(&s->link);
  s->of->n--;
  tls_handshake_free(s->handshake);
  free(s);
}

static void fail(Shake *s, const char *result) {
  HttpsShakes *of = s->of;
  metrics_add(of->router->service->metrics, ROUTER_TLS_HANDSHAKES, 1, result, NULL, NULL);
  shake_free(s);
  of->handlers.failed(of->arg);
}

/* What the client reads who has forgotten the s. */
static void answer_plain(const Shake *s) {
  static const char ANSWER[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 41\r\n"
                               "Connection: close\r\n\r\n{\"detail\":\"This port speaks HTTPS only.\"}";
  _Static_assert(sizeof "{\"detail\":\"This port speaks HTTPS only.\"}" - 1 == 41, "Content-Length");
  /* a new socket's buffer is empty: it fits, or the client has gone and does not mind */
  ssize_t sent = send(tls_handshake_fd(s->handshake), ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
}

static void on_done(void *arg, TlsOutcome outcome) {
  static const char *const RESULTS[] = {[TLS_AGREED] = "agreed",
                                        [TLS_REFUSED] = "refused",
                                        [TLS_BROKEN] = "broken",
                                        [TLS_TIMED_OUT] = "timed_out",
                                        [TLS_PLAIN_HTTP] = "plain_http"};
  Shake *s = arg;
  HttpsShakes *of = s->of;
  if (outcome == TLS_AGREED) {
    metrics_add(of->router->service->metrics, ROUTER_TLS_HANDSHAKES, 1, RESULTS[outcome], NULL, NULL);
    of->handlers.agreed(of->arg, &(HttpArrival){.fd = -1, .handshake = s->handshake, .peer_ip = s->peer_ip});
    shake_free(s);
    return;
  }
  if (outcome == TLS_REFUSED)
    log_event(LOG_INFO, "tls_refused", LOG_STR("client_ip", s->peer_ip),
              LOG_STR("reason", tls_handshake_trouble(s->handshake)));
  else if (outcome == TLS_PLAIN_HTTP)
    answer_plain(s);
  fail(s, RESULTS[outcome]);
}

HttpsShakes *https_shakes_new(Router *router, const HttpsShakeHandlers *handlers, void *arg) {
  HttpsShakes *shakes = new0(HttpsShakes);
  *shakes = (HttpsShakes){.router = router, .handlers = *handlers, .arg = arg};
  list_init(&shakes->all);
  return shakes;
}

void https_shakes_free(HttpsShakes *shakes) {
  if (!shakes)
    return;
  LIST_EACH(Shake, s, &shakes->all, link) shake_free(s);
  free(shakes);
}

void https_shakes_begin(HttpsShakes *shakes, int fd, const char *peer_ip) {
  if (shakes->n >= SHAKES_MAX)
    fail(CONTAINER_OF(list_first(&shakes->all), Shake, link), "crowded_out");
  Shake *s = new0(Shake);
  s->of = shakes;
  snprintf(s->peer_ip, sizeof s->peer_ip, "%s", peer_ip);
  struct ssl_st *ssl = tls_connection(https_tls_of(shakes->router->all->tls), NULL, NULL);
  s->handshake = tls_handshake_new(shakes->router->loop, fd, ssl, SHAKE_TIMEOUT_MS, on_done, s);
  list_append(&shakes->all, &s->link);
  shakes->n++;
}
