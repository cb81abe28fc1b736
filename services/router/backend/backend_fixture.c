/* See backend_fixture.h. */
#include "services/router/backend/backend_fixture.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/test.h"

enum { LIMIT_MS = 20000, STEP_MS = 1 };

typedef struct PeerConn {
  ListLink link;
  Peer *peer;
  Http2Session *session;
  List calls; /* PeerCall */
} PeerConn;

typedef struct PeerCall {
  ListLink link;
  Peer *peer;
  Http2Stream *stream;
  Buf in;
} PeerCall;

/* ---- Requests ---- */

static const Http2Field TYPE = {"content-type", "application/grpc"};

static void on_request(void *arg, Http2Stream *stream, const Http2Request *request) {
  PeerConn *conn = arg;
  Peer *peer = conn->peer;
  peer->requests++;
  int at = snprintf(peer->head, sizeof peer->head, "%s %s|", request->path, request->authority);
  for (size_t i = 0; i < request->n_fields && (size_t)at < sizeof peer->head; i++)
    at += snprintf(peer->head + at, sizeof peer->head - (size_t)at, "%s: %s|", request->fields[i].name,
                   request->fields[i].value);
  if (peer->mode == PEER_REFUSE) {
    http2_stream_reset(stream, HTTP2_REFUSED_STREAM);
    return;
  }
  PeerCall *c = new0(PeerCall);
  *c = (PeerCall){.peer = peer, .stream = stream};
  list_append(&conn->calls, &c->link);
  http2_stream_set_owner(stream, c);
}

static void on_body(void *owner, const uint8_t *data, size_t len) {
  PeerCall *c = owner;
  c->peer->held += len;
  if (c->peer->mode == PEER_HOLD)
    return;
  assert_int_equal(buf_append(&c->in, data, len), 0);
  http2_stream_took(c->stream, len);
}

static void answer(PeerCall *c, const void *body, size_t len, const char *status) {
  const Http2Field trailer = {"grpc-status", status};
  http2_stream_respond(c->stream, 200, &TYPE, 1, false);
  http2_stream_write(c->stream, body, len);
  http2_stream_finish(c->stream, &trailer, 1);
}

static void on_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  static const Http2Field FAILED[] = {{"content-type", "application/grpc"},
                                      {"grpc-status", "5"},
                                      {"grpc-message", "no%21"},
                                      {"grpc-status-details-bin", "CAU"}};
  static const uint8_t HUGE_HEAD[] = {0, 1, 0, 0, 0};
  PeerCall *c = owner;
  switch (c->peer->mode) {
  case PEER_ECHO:
    answer(c, c->in.data, c->in.len, "0");
    break;
  case PEER_FAIL:
    http2_stream_respond(c->stream, 200, FAILED, ARRAY_LEN(FAILED), true);
    break;
  case PEER_NO_GRPC:
    http2_stream_respond(c->stream, 503, NULL, 0, false);
    http2_stream_write(c->stream, "<html>", 6);
    break;
  case PEER_HUGE:
    answer(c, HUGE_HEAD, sizeof HUGE_HEAD, "0");
    break;
  case PEER_HALF:
    answer(c, "\0\0\0\0\7half", 9, "0");
    break;
  case PEER_CANCELLED:
    answer(c, NULL, 0, "1");
    break;
  case PEER_HOLD:
  case PEER_REFUSE:
    break;
  }
}

static void on_drain(void *owner) {}

static void on_close(void *owner, uint32_t code) {
  PeerCall *c = owner;
  if (!c)
    return;
  list_remove(&c->link);
  buf_deinit(&c->in);
  free(c);
}

/* ---- Connections ---- */

static void on_over(void *arg, Http2Why why) {
  PeerConn *conn = arg;
  list_remove(&conn->link);
  http2_session_free(conn->session);
  LIST_EACH(PeerCall, c, &conn->calls, link) on_close(c, HTTP2_CANCEL);
  free(conn);
}

static const Http2Handlers HANDLERS = {on_request, on_body, on_end, on_drain, on_close, NULL, on_over};

static void on_accept(int events, void *arg) {
  Peer *peer = arg;
  int fd = accept4(peer->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  PeerConn *conn = new0(PeerConn);
  conn->peer = peer;
  list_init(&conn->calls);
  peer->accepted++;
  Stream *stream = stream_new(peer->loop, fd, 1, &(StreamHandlers){0}, NULL);
  conn->session = http2_session_new(peer->loop, stream, &HTTP2_DEFAULTS, &HANDLERS, conn);
  list_append(&peer->conns, &conn->link);
}

void peer_start(Peer *peer, Loop *loop, int port, PeerMode mode) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  socklen_t len = sizeof at;
  int one = 1;
  *peer = (Peer){.loop = loop, .mode = mode};
  list_init(&peer->conns);
  peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(peer->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  assert_int_equal(bind(peer->fd, (struct sockaddr *)&at, sizeof at), 0);
  assert_int_equal(listen(peer->fd, 16), 0);
  assert_int_equal(getsockname(peer->fd, (struct sockaddr *)&at, &len), 0);
  peer->port = ntohs(at.sin_port);
  peer->watch = loop_fd_new(loop, peer->fd, LOOP_READ, on_accept, peer);
}

void peer_kill(Peer *peer) {
  if (peer->fd < 0)
    return;
  loop_fd_free(peer->watch);
  close(peer->fd);
  peer->fd = -1;
  LIST_EACH(PeerConn, conn, &peer->conns, link) {
    on_over(conn, HTTP2_WHY_ENDED);
  }
}

void peer_leave(Peer *peer) {
  LIST_EACH(PeerConn, conn, &peer->conns, link) http2_session_drain(conn->session);
}

/* ---- Calls ---- */

static void on_message(BackendCall *call, void *arg, const uint8_t *data, size_t len) {
  Call *c = arg;
  c->messages++;
  assert_int_equal(buf_append(&c->got, data, len), 0);
  if (!c->hold)
    backend_read(call);
}

static void on_call_drain(BackendCall *call, void *arg) {
  ((Call *)arg)->drains++;
}

static void on_done(BackendCall *call, void *arg, const Error *status, const uint8_t *details, size_t details_len) {
  Call *c = arg;
  assert_false(c->done);
  c->done = true;
  c->call = NULL;
  c->status = *status;
  c->details_len = details_len;
  memcpy(c->details, details ? details : (const uint8_t *)"", details ? details_len : 0);
}

void call_start_for(Call *c, Backend *backend, const char *who, const char *text, int64_t timeout_ms) {
  static const BackendHandlers OURS = {on_message, on_call_drain, on_done};
  const Http2Field metadata = {"x-request-id", who};
  bool hold = c->hold;
  *c = (Call){.hold = hold};
  c->call = backend_call(backend, "/s/M", timeout_ms ? timeout_ms : INT64_MAX, &metadata, 1, &OURS, c);
  backend_read(c->call);
  if (!text)
    return;
  backend_write(c->call, (const uint8_t *)text, strlen(text));
  backend_half_close(c->call);
}

void call_start(Call *c, Backend *backend, const char *text, int64_t timeout_ms) {
  call_start_for(c, backend, "me", text, timeout_ms);
}

void call_clear(Call *c) {
  buf_deinit(&c->got);
}

/* ---- Time ---- */

static void stop(void *arg) {
  loop_stop(arg);
}

void turns_start(Turns *t) {
  t->loop = loop_new();
  t->timer = loop_timer_new(t->loop, stop, t->loop);
}

void turns_end(Turns *t) {
  loop_timer_free(t->timer);
  loop_free(t->loop);
}

void turns_once(Turns *t) {
  loop_timer_start(t->timer, STEP_MS);
  loop_run(t->loop);
}

static void turn(Turns *t, int64_t end) {
  if (clock_mono_ms() > end)
    fail_msg("nothing happened in %d ms", LIMIT_MS);
  turns_once(t);
}

void turns_until(Turns *t, const bool *flag) {
  for (int64_t end = clock_mono_ms() + LIMIT_MS; !*flag;)
    turn(t, end);
}

void turns_until_int(Turns *t, const int *number, int n) {
  for (int64_t end = clock_mono_ms() + LIMIT_MS; *number != n;)
    turn(t, end);
}
