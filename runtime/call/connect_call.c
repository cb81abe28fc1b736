/* Connect: a byte stream to a port inside. The sandbox has no network that the host could reach it by, so the
 * runtime is the way in. Nor has a Pod's network, where a program listens on a loopback address alone.
 *
 * "localhost" is 127.0.0.1 for some programs and ::1 alone for others (Node's servers), so where nobody listens on the
 * one the other is tried.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/loop/stream_connect.h"
#include "runtime/call/methods.h"
#include "runtime/call/relay.h"

typedef struct Connect {
  Call *call;
  bool ipv6; /* the second try */
  int why;   /* of the first */
  StreamConnect *connect;
} Connect;

static void try_next(Connect *x);

static void on_connected(void *arg, int fd, int errnum) {
  Connect *x = arg;
  x->connect = NULL;
  if (errnum && !x->ipv6) {
    x->ipv6 = true;
    x->why = errnum;
    return try_next(x);
  }
  Call *call = x->call;
  if (errnum) {
    Error err;
    error_set(&err, ERROR_UNAVAILABLE, "port %u inside the sandbox: %s", call_port(call), strerror(x->why));
    return call_finish(call, &err);
  }
  Loop *loop = call_runtime(call)->loop;
  call_set_data(call, NULL);
  free(x);
  call_send(call, WIRE_ACCEPT, NULL, 0);
  relay_start(loop, call_detach(call), fd);
}

static void try_next(Connect *x) {
  Address to = {.kind = ADDRESS_TCP, .port = (uint16_t)call_port(x->call)};
  snprintf(to.host, sizeof to.host, "%s", x->ipv6 ? "::1" : "127.0.0.1");
  /* the caller has a time limit of its own */
  x->connect = stream_connect(call_runtime(x->call)->loop, &to, 0, NULL, on_connected, x);
}

static void on_open(Call *call) {
  Connect *x = new0(Connect);
  x->call = call;
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
  stream_connect_free(x->connect);
  free(x);
}

const CallMethod METHOD_CONNECT = {.name = "Connect",
                                   .on_open = on_open,
                                   .on_message = on_message,
                                   .on_half_close = on_half_close,
                                   .on_end = on_end,
                                   .accepts = true};
