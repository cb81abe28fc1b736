/* Connect: a byte stream to a port inside. The sandbox has no network that the host could reach it by, so the
 * runtime is the way in. Nor has a Pod's network, where a program listens on a loopback address alone.
 *
 * "localhost" is 127.0.0.1 for some programs and ::1 alone for others (Node's servers), so where nobody listens on the
 * one the other is tried.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "runtime/call/methods.h"
#include "runtime/call/relay.h"

typedef struct Connect {
  Call *call;
  bool ipv6; /* the second try */
  int why;   /* of the first */
  int fd;
  LoopFd *watch;
} Connect;

static void try_next(Connect *x);

static void failed(Connect *x, int why) {
  loop_fd_free(x->watch);
  x->watch = NULL;
  if (x->fd >= 0)
    close(x->fd);
  x->fd = -1;
  if (!x->ipv6) {
    x->ipv6 = true;
    x->why = why;
    return try_next(x);
  }
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "port %u inside the sandbox: %s", call_port(x->call), strerror(x->why));
  call_finish(x->call, &err);
}

static void on_connected(int events, void *arg) {
  Connect *x = arg;
  int why = 0;
  socklen_t len = sizeof why;
  getsockopt(x->fd, SOL_SOCKET, SO_ERROR, &why, &len);
  if (why)
    return failed(x, why);
  loop_fd_free(x->watch);
  Call *call = x->call;
  Loop *loop = call_runtime(call)->loop;
  int inner = x->fd;
  call_set_data(call, NULL);
  free(x);
  call_send(call, WIRE_ACCEPT, NULL, 0);
  relay_start(loop, call_detach(call), inner);
}

static void try_next(Connect *x) {
  uint16_t port = htons((uint16_t)call_port(x->call));
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct sockaddr *to = x->ipv6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
  int one = 1;
  x->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (x->fd >= 0)
    setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (x->fd < 0 || (connect(x->fd, to, x->ipv6 ? sizeof v6 : sizeof v4) && errno != EINPROGRESS))
    return failed(x, errno);
  x->watch = loop_fd_new(call_runtime(x->call)->loop, x->fd, LOOP_WRITE, on_connected, x);
}

static void on_open(Call *call) {
  Connect *x = new0(Connect);
  *x = (Connect){.call = call, .fd = -1};
  call_set_data(call, x);
  Error err;
  uint32_t port = call_port(call);
  if (port < 1 || port > 65535) {
    error_field(&err, "port", "must be 1 to 65535");
    return call_finish(call, &err);
  }
  /* what the caller sends from here on is not ours to read */
  call_pause(call, true);
  try_next(x);
}

static void on_message(Call *call, const uint8_t *data, size_t len) {
  Error err;
  error_set(&err, ERROR_INVALID_ARGUMENT, "Connect takes no messages");
  call_finish(call, &err);
}

static void on_half_close(Call *call) {
  on_message(call, NULL, 0);
}

static void on_end(Call *call) {
  Connect *x = call_data(call);
  if (!x)
    return;
  loop_fd_free(x->watch);
  if (x->fd >= 0)
    close(x->fd);
  free(x);
}

const CallMethod METHOD_CONNECT = {.name = "Connect",
                                   .on_open = on_open,
                                   .on_message = on_message,
                                   .on_half_close = on_half_close,
                                   .on_end = on_end,
                                   .accepts = true};
