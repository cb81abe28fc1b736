/* Calls over connections of lib/http2, for tests: what the router's front does, as short as it can be. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/loop/stream.h"
#include "lib/rpc/rpc_fixture.h"
#include "lib/rpc/rpc_http2.h"

typedef struct Front {
  ListLink link;
  FixtureServer *server;
  Http2Session *session;
  List calls;
  char peer[64];
} Front;

struct FixtureServer {
  Loop *loop;
  RpcHttp *http;
  int fd, port;
  LoopFd *watch;
  List fronts;
  bool calls_over;
  void (*done)(void *arg);
  void *done_arg;
};

static void end_if_empty(FixtureServer *s) {
  if (!s->calls_over || !list_is_empty(&s->fronts) || !s->done)
    return;
  void (*done)(void *) = s->done;
  s->done = NULL;
  done(s->done_arg);
}

static void front_free(Front *f) {
  list_remove(&f->link);
  rpc_http2_close(&f->calls);
  http2_session_free(f->session);
  free(f);
}

static void on_request(void *arg, Http2Stream *stream, const Http2Request *request) {
  Front *f = arg;
  assert_true(rpc_http2_take(f->server->http, stream, request, f->peer, &f->calls));
}

static void on_over(void *arg, Http2Why why) {
  Front *f = arg;
  FixtureServer *s = f->server;
  front_free(f);
  end_if_empty(s);
}

static const Http2Handlers HANDLERS = {.on_request = on_request, .on_over = on_over};
/* replaced by http2_session_new's hand-over before anything is read */
static const StreamHandlers NONE = {.on_data = NULL};

static void on_connection(int events, void *arg) {
  FixtureServer *s = arg;
  struct sockaddr_in peer;
  socklen_t len = sizeof peer;
  int one = 1, fd = accept4(s->fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), 0);
  Front *f = new0(Front);
  f->server = s;
  list_init(&f->calls);
  snprintf(f->peer, sizeof f->peer, "ipv4:127.0.0.1:%d", ntohs(peer.sin_port));
  list_append(&s->fronts, &f->link);
  f->session = http2_session_new(s->loop, stream_new(s->loop, fd, 1, &NONE, NULL), &RPC_HTTP2_CONFIG, &HANDLERS, f);
}

FixtureServer *fixture_server_new(Loop *loop, const RpcServerConfig *config, Error *err) {
  FixtureServer *s = new0(FixtureServer);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  int one = 1;
  at.sin_port = htons((uint16_t)strtol(strrchr(config->address, ':') + 1, NULL, 10));
  s->loop = loop;
  list_init(&s->fronts);
  s->http = rpc_http_new(loop, config, "", err);
  assert_non_null(s->http);
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  assert_int_equal(setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
  assert_int_equal(bind(s->fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(s->fd, 16), 0);
  assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
  s->port = ntohs(at.sin_port);
  s->watch = loop_fd_new(loop, s->fd, LOOP_READ, on_connection, s);
  return s;
}

int fixture_server_port(const FixtureServer *s) {
  return s->port;
}

void fixture_server_set_serving(FixtureServer *s, bool serving) {
  rpc_http_set_serving(s->http, serving);
}

static void on_drained(void *arg) {
  FixtureServer *s = arg;
  s->calls_over = true;
  end_if_empty(s);
}

void fixture_server_drain(FixtureServer *s, int64_t grace_ms, void (*done)(void *arg), void *arg) {
  s->done = done;
  s->done_arg = arg;
  loop_fd_free(s->watch);
  s->watch = NULL;
  close(s->fd);
  LIST_EACH(Front, f, &s->fronts, link) http2_session_drain(f->session);
  rpc_http_drain(s->http, grace_ms, on_drained, s);
}

void fixture_server_free(FixtureServer *s) {
  LIST_EACH(Front, f, &s->fronts, link) front_free(f);
  rpc_http_free(s->http);
  free(s);
}
