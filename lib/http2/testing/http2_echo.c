/* A server of lib/http2 for clients that are programs of others (h2spec, h2load): listens on 127.0.0.1, prints its
 * port, and answers every request with what it sent, or, when that was nothing, with a line. Ends with its standard
 * input. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/http2/http2_session.h"

static const char LINE[] = "hello\n";

typedef struct Conn {
  Http2Session *session;
  Loop *loop;
} Conn;

typedef struct Echo {
  Http2Stream *stream;
  size_t untaken; /* echoed, and not off yet */
  bool spoke;
} Echo;

static void begin(Echo *e) {
  const Http2Field type = {"content-type", "text/plain"};
  http2_stream_respond(e->stream, 200, &type, 1, false);
}

static void say_line(Echo *e) {
  http2_stream_write(e->stream, LINE, sizeof LINE - 1);
  http2_stream_finish(e->stream, NULL, 0);
}

static void on_request(void *arg, Http2Stream *stream, const Http2Request *request) {
  Echo *e = new0(Echo);
  e->stream = stream;
  http2_stream_set_owner(stream, e);
  if (!request->ended)
    return;
  begin(e);
  say_line(e);
}

static void take(Echo *e) {
  http2_stream_took(e->stream, e->untaken);
  e->untaken = 0;
}

static void on_body(void *owner, const uint8_t *data, size_t len) {
  Echo *e = owner;
  if (!e->spoke)
    begin(e);
  e->spoke = true;
  http2_stream_write(e->stream, data, len);
  e->untaken += len;
  if (!http2_stream_is_full(e->stream))
    take(e);
}

static void on_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  Echo *e = owner;
  if (e->spoke) {
    http2_stream_finish(e->stream, trailers, n_trailers);
    return;
  }
  begin(e);
  say_line(e);
}

static void on_drain(void *owner) {
  take(owner);
}

static void on_close(void *owner, uint32_t code) {
  free(owner);
}

static void on_over(void *arg, Http2Why why) {
  Conn *c = arg;
  fprintf(stderr, "connection over: %s\n", http2_why_name(why));
  http2_session_free(c->session);
  free(c);
}

static const Http2Handlers HANDLERS = {on_request, on_body, on_end, on_drain, on_close, NULL, on_over};

typedef struct Server {
  Loop *loop;
  int fd;
} Server;

static void on_connection(int events, void *arg) {
  Server *server = arg;
  int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  Conn *c = new0(Conn);
  Stream *stream = stream_new(server->loop, fd, 1, &(StreamHandlers){0}, NULL);
  c->session = http2_session_new(server->loop, stream, &HTTP2_DEFAULTS, &HANDLERS, c);
}

static void on_input(int events, void *arg) {
  char end;
  if (read(STDIN_FILENO, &end, 1) <= 0)
    loop_stop(arg);
}

int main(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  Server server = {.loop = loop_new(), .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (server.fd < 0 || bind(server.fd, (struct sockaddr *)&address, len) != 0 || listen(server.fd, 128) != 0 ||
      getsockname(server.fd, (struct sockaddr *)&address, &len) != 0) {
    fprintf(stderr, "http2_echo: %s\n", strerror(errno));
    return 1;
  }
  printf("%u\n", (unsigned)ntohs(address.sin_port));
  fflush(stdout);
  loop_fd_new(server.loop, server.fd, LOOP_READ, on_connection, &server);
  loop_fd_new(server.loop, STDIN_FILENO, LOOP_READ, on_input, server.loop);
  loop_run(server.loop);
  return 0;
}
