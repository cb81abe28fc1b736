/* See backend_conn.h. */
#include "services/router/backend/backend_conn.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/loop/stream_connect.h"

enum {
  /* For the connection, and again for the greeting: as lib/rpc's channels. */
  CONNECT_MS = 2000,
};

/* A machine that is cut off sends no reset. What was sent and is not acknowledged finds out under load, HTTP/2's PING
 * (lib/http2) otherwise. */
static const StreamKeepalive KEEPALIVE = {.idle_s = 30, .interval_s = 5, .count = 2, .unacked_ms = 10000};

static void tell(BackendConn *c) {
  c->fn(c->arg, c);
}

static void set_over(BackendConn *c, const char *why) {
  snprintf(c->why, sizeof c->why, "%s", why);
  c->state = BACKEND_CONN_OVER;
  tell(c);
}

/* One that is retired. */
static void end_if_unused(BackendConn *c) {
  if (http2_session_streams(c->session) == 0)
    http2_session_end(c->session, HTTP2_NO_ERROR);
}

static void on_change(void *arg) {
  BackendConn *c = arg;
  if (c->state == BACKEND_CONN_OVER)
    return;
  if (http2_client_is_leaving(c->session)) {
    /* and ends by itself */
    c->state = BACKEND_CONN_LEAVING;
  } else if (c->state == BACKEND_CONN_LEAVING) {
    end_if_unused(c);
  } else if (http2_client_is_greeted(c->session)) {
    c->state = BACKEND_CONN_READY;
    c->was_ready = true;
  }
  tell(c);
}

static void on_over(void *arg, Http2Why why) {
  BackendConn *c = arg;
  http2_session_free(c->session);
  c->session = NULL;
  set_over(c, http2_why_name(why));
}

static void on_connected(void *arg, int fd, int errnum) {
  BackendConn *c = arg;
  c->connect = NULL;
  if (fd < 0) {
    set_over(c, strerror(errnum));
    return;
  }
  Http2Config config = HTTP2_CLIENT_DEFAULTS;
  config.head_ms = CONNECT_MS;
  Stream *stream = stream_new(c->loop, fd, 1, &(StreamHandlers){0}, NULL);
  c->session = http2_client_new(c->loop, stream, &config, &c->handlers, c);
}

BackendConn *backend_conn_new(Loop *loop, const Address *to, const Http2ClientHandlers *streams,
                              void (*fn)(void *arg, BackendConn *conn), void *arg) {
  BackendConn *c = new0(BackendConn);
  *c = (BackendConn){.loop = loop, .handlers = *streams, .fn = fn, .arg = arg};
  c->handlers.on_change = on_change;
  c->handlers.on_over = on_over;
  c->connect = stream_connect(loop, to, CONNECT_MS, &KEEPALIVE, on_connected, c);
  return c;
}

void backend_conn_free(BackendConn *c) {
  if (!c)
    return;
  stream_connect_free(c->connect);
  http2_session_free(c->session);
  free(c);
}

bool backend_conn_has_room(const BackendConn *c) {
  return c->state == BACKEND_CONN_READY && http2_client_has_room(c->session);
}

void backend_conn_retire(BackendConn *c) {
  c->state = BACKEND_CONN_LEAVING;
  end_if_unused(c);
}
