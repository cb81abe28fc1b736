/* See http_listener.h. */
#include "services/router/http/http_listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/address.h"
#include "lib/base/alloc.h"
#include "services/router/http/http_conn.h"
#include "services/router/http/https_shake.h"

/* Connections taken per turn of the loop, so that a flood of them does not starve those that are open. */
#define ACCEPTS_PER_TURN 64
/* Pause when the process is out of descriptors. */
#define ACCEPT_PAUSE_MS 100
/* The kernel caps it at net.core.somaxconn. */
#define BACKLOG 4096

struct HttpListener {
  Router *router;
  HttpsShakes *shakes; /* NULL: plain */
  int fd;
  LoopFd *watch;
  LoopTimer *timer; /* pause of accepting, then end of the drain */
  HttpConn *conns;
  int64_t n_conns; /* and handshakes */
  bool draining;
  void (*done)(void *arg);
  void *done_arg;
};

static void count(HttpListener *l, int delta) {
  l->n_conns += delta;
  atomic_fetch_add(&l->router->all->n_connections, delta);
  metrics_add(l->router->service->metrics, ROUTER_CONNECTIONS, delta, NULL, NULL, NULL);
}

static void one_less(void *arg) {
  HttpListener *l = arg;
  count(l, -1);
  if (l->n_conns == 0 && l->done)
    loop_timer_start(l->timer, 0);
}

static void on_closed(void *arg, HttpConn *conn) {
  HttpListener *l = arg;
  http_conn_unlink(conn, &l->conns);
  one_less(l);
}

static void let_in(void *arg, const HttpArrival *arrival) {
  HttpListener *l = arg;
  HttpConn *conn = http_conn_new(l->router, arrival, on_closed, l);
  http_conn_link(conn, &l->conns);
  if (l->draining)
    http_conn_drain(conn);
}

static const HttpsShakeHandlers SHAKE_HANDLERS = {.agreed = let_in, .failed = one_less};

static void refuse(HttpListener *l, int fd) {
  static const char ANSWER[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                               "Content-Length: 35\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
                               "{\"detail\":\"Too many connections.\"}\n";
  metrics_add(l->router->service->metrics, ROUTER_CONNECTIONS_REFUSED, 1, NULL, NULL, NULL);
  /* a new socket's buffer is empty: it fits, or the client has gone and does not mind */
  ssize_t sent = l->shakes ? 0 : send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  (void)sent;
  close(fd);
}

static void peer_name(const struct sockaddr_storage *peer, char *out, size_t len) {
  const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
  const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
  snprintf(out, len, "unknown");
  if (peer->ss_family == AF_INET)
    inet_ntop(AF_INET, &v4->sin_addr, out, (socklen_t)len);
  else if (peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
    inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, out, (socklen_t)len);
  else if (peer->ss_family == AF_INET6)
    inet_ntop(AF_INET6, &v6->sin6_addr, out, (socklen_t)len);
}

static void take(HttpListener *l, int fd, const struct sockaddr_storage *peer) {
  char name[INET6_ADDRSTRLEN];
  int one = 1;
  /* loops that take one at the same time may pass the bound by one each */
  if (atomic_load(&l->router->all->n_connections) >= l->router->config->max_connections) {
    refuse(l, fd);
    return;
  }
  /* an answer's last part must not wait for the client's acknowledgement; unix sockets have no such thing */
  if (peer->ss_family != AF_UNIX && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
    close(fd);
    return;
  }
  peer_name(peer, name, sizeof name);
  count(l, 1);
  if (l->shakes)
    https_shakes_begin(l->shakes, fd, name);
  else
    let_in(l, &(HttpArrival){.fd = fd, .peer_ip = name});
}

/* Up to most of those that wait; false, with errno: there was no room for one. */
static bool accept_some(HttpListener *l, int most) {
  for (int i = 0; i < most; i++) {
    struct sockaddr_storage peer = {0};
    socklen_t len = sizeof peer;
    int fd = accept4(l->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take(l, fd, &peer);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
    /* anything else is the failure of one connection that is gone */
  }
  return true;
}

static void on_connection(int events, void *arg) {
  HttpListener *l = arg;
  if (accept_some(l, ACCEPTS_PER_TURN))
    return;
  log_event(LOG_WARN, "accept_paused", LOG_STR("message", strerror(errno)));
  loop_fd_set(l->watch, 0);
  loop_timer_start(l->timer, ACCEPT_PAUSE_MS);
}

static void abort_all(HttpListener *l) {
  https_shakes_free(l->shakes);
  l->shakes = NULL;
  while (l->conns)
    http_conn_abort(l->conns);
}

static void on_timer(void *arg) {
  HttpListener *l = arg;
  if (!l->draining) {
    loop_fd_set(l->watch, LOOP_READ);
    return;
  }
  void (*done)(void *) = l->done;
  l->done = NULL;
  abort_all(l);
  if (done)
    done(l->done_arg);
}

/* A socket that listens alone: another program that has the port, a router of its own as well, is an error here. first:
 * it is one more, beside a socket that listens already. */
static int bind_to(const struct addrinfo *at, const HttpListener *first, const HttpDoor *door, Error *err) {
  int one = 1;
  int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
      (!first || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) == 0) &&
      bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
    return fd;
  error_set(err, ERROR_UNAVAILABLE, "--%s: %s: %s", door->flag, door->address, strerror(errno));
  if (fd >= 0)
    close(fd);
  return -1;
}

static int listen_on(const HttpDoor *door, Error *err) {
  Address address;
  char port[8];
  if (address_parse(door->address, &address, err))
    return error_prefix(err, "--%s", door->flag);
  if (address.kind != ADDRESS_TCP)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--%s: '%s' is not host:port", door->flag, door->address);
  snprintf(port, sizeof port, "%u", (unsigned)address.port);
  struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found = NULL;
  int rc = getaddrinfo(*address.host ? address.host : NULL, port, &hints, &found);
  if (rc != 0)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--%s: %s: %s", door->flag, address.host, gai_strerror(rc));
  int fd = bind_to(found, NULL, door, err);
  freeaddrinfo(found);
  return fd;
}

/* The kernel spreads connections over sockets that share a port (SO_REUSEPORT), also where the first of them allows it
 * only after it listens: so nobody else could have joined it before. */
static int listen_beside(const HttpListener *first, const HttpDoor *door, Error *err) {
  struct sockaddr_storage at;
  struct addrinfo same = {.ai_addr = (struct sockaddr *)&at, .ai_addrlen = sizeof at};
  int one = 1;
  if (getsockname(first->fd, same.ai_addr, &same.ai_addrlen) != 0 ||
      setsockopt(first->fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0)
    return error_set(err, ERROR_UNAVAILABLE, "--%s: %s: %s", door->flag, door->address, strerror(errno));
  same.ai_family = at.ss_family;
  return bind_to(&same, first, door, err);
}

HttpListener *http_listener_new(Router *router, const HttpDoor *door, const HttpListener *first, Error *err) {
  int fd = first ? listen_beside(first, door, err) : listen_on(door, err);
  if (fd < 0)
    return NULL;
  HttpListener *l = new0(HttpListener);
  l->router = router;
  l->fd = fd;
  if (door->tls)
    l->shakes = https_shakes_new(router, &SHAKE_HANDLERS, l);
  l->watch = loop_fd_new(router->loop, fd, LOOP_READ, on_connection, l);
  l->timer = loop_timer_new(router->loop, on_timer, l);
  return l;
}

static void stop_listening(HttpListener *l) {
  loop_fd_free(l->watch);
  l->watch = NULL;
  if (l->fd >= 0)
    close(l->fd);
  l->fd = -1;
}

void http_listener_drain(HttpListener *l, int64_t grace_ms, void (*done)(void *arg), void *arg) {
  /* whoever waits in the queue has been told that he is connected, and would be reset */
  accept_some(l, BACKLOG);
  stop_listening(l);
  l->draining = true;
  l->done = done;
  l->done_arg = arg;
  for (HttpConn *c = l->conns; c; c = http_conn_next(c))
    http_conn_drain(c);
  loop_timer_start(l->timer, l->n_conns ? grace_ms : 0);
}

void http_listener_free(HttpListener *l) {
  if (!l)
    return;
  l->done = NULL;
  abort_all(l);
  stop_listening(l);
  loop_timer_free(l->timer);
  free(l);
}
