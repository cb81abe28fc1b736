/* See http_rpc.h. The answer goes in chunks, for nobody knows its length; to HTTP/1.0 until the end of the connection.
 * An answer is said from inside of calls that must not end their connection, so what follows it waits for the timer. */
#include "services/router/http/http_rpc.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "services/router/http/http_peer.h"

/* Of a body, what waits for its method. */
#define UNTAKEN_MAX (64 << 10)
/* A client that takes nothing of its answer for so long is left. */
#define STALL_MS 60000

static void watch(HttpConn *c, int64_t ms) {
  c->rpc_sent = stream_sent(c->stream);
  loop_timer_start(c->timer, ms);
}

static const char *reason_of(int status) {
  switch (status) {
  case 200:
    return "OK";
  case 403:
    return "Forbidden";
  case 405:
    return "Method Not Allowed";
  case 415:
    return "Unsupported Media Type";
  default:
    return "-";
  }
}

/* ---- The answer ---- */

static void end(HttpConn *c) {
  c->rpc_ended = true;
  stream_flush(c->stream);
  watch(c, 0);
}

static void respond(void *arg, int status, const RpcMetadata *fields, size_t n_fields, bool ended) {
  HttpConn *c = arg;
  CLEANUP(buf_deinit) Buf out = {0};
  c->answered = true;
  c->rpc_status = status;
  c->rpc_chunked = !ended && c->minor_version >= 1;
  c->keep_alive = c->keep_alive && (ended || c->rpc_chunked) && (!ended || c->request_done);
  int rc = buf_printf(&out, "HTTP/1.1 %d %s\r\n", status, reason_of(status));
  for (size_t i = 0; i < n_fields && rc == 0; i++)
    rc = buf_printf(&out, "%s: %s\r\n", fields[i].key, fields[i].value);
  if (rc == 0)
    rc = buf_printf(&out, "%s%s\r\n", c->rpc_chunked ? "transfer-encoding: chunked\r\n" : "",
                    c->keep_alive ? "" : "connection: close\r\n");
  if (rc != 0)
    abort(); /* a head is far below what a buffer takes */
  stream_queue(c->stream, out.data, out.len);
  if (ended)
    end(c);
  else
    watch(c, STALL_MS);
}

static void write_body(void *arg, const void *data, size_t len) {
  HttpConn *c = arg;
  CLEANUP(buf_deinit) Buf chunk = {0};
  if (!c->rpc_chunked) {
    stream_write(c->stream, data, len);
    return;
  }
  forward_chunk(&chunk, data, len);
  stream_queue(c->stream, chunk.data, chunk.len);
}

static void finish(void *arg, const RpcMetadata *trailers, size_t n_trailers) {
  HttpConn *c = arg;
  if (c->rpc_chunked)
    stream_queue(c->stream, "0\r\n\r\n", 5);
  end(c);
}

static bool is_full(void *arg) {
  return stream_pending(((HttpConn *)arg)->stream) >= STREAM_HIGH;
}

static void took(void *arg, size_t len) {
  HttpConn *c = arg;
  c->rpc_untaken -= len;
  if (c->rpc_untaken < UNTAKEN_MAX)
    stream_resume(c->stream);
}

static const RpcHttpExit OUT = {
    .respond = respond, .write = write_body, .finish = finish, .is_full = is_full, .took = took};

/* ---- The request ---- */

static char *small_letters(Arena *arena, const char *name) {
  char *out = arena_strdup(arena, name);
  for (char *p = out; *p; p++)
    *p = (char)tolower((unsigned char)*p);
  return out;
}

bool http_rpc_take(HttpConn *c, const HttpHead *head) {
  char peer[HTTP_PEER_SIZE];
  const char *path = forward_path(head);
  if (!path || http_head_get(head, "X-Sandbox-ID") || !(c->is_grpc || c->router->all->grpc_by_http))
    return false;
  Arena *arena = arena_new();
  RpcMetadata *fields = arena_alloc(arena, (head->n_headers + 1) * sizeof *fields);
  for (size_t i = 0; i < head->n_headers; i++)
    fields[i] = (RpcMetadata){small_letters(arena, head->headers[i].name), head->headers[i].value};
  http_peer_name(c->peer_ip, stream_fd(c->stream), peer);
  const RpcHttpRequest request = {
      .method = head->method, .path = path, .fields = fields, .n_fields = head->n_headers, .peer = peer};
  bool taken = rpc_http_takes(c->router->rpc, &request);
  if (taken) {
    c->upgrade = false;
    c->rpc_ended = c->rpc_chunked = false;
    c->rpc_untaken = 0;
    c->rpc = rpc_http_begin(c->router->rpc, &request, &OUT, c);
    if (c->expects_continue && !c->request_done && !c->answered)
      stream_printf(c->stream, "HTTP/1.1 100 Continue\r\n\r\n");
  }
  arena_free(arena);
  return taken;
}

void http_rpc_body(HttpConn *c, const uint8_t *data, size_t len) {
  c->rpc_untaken += len;
  rpc_http_body(c->rpc, data, len);
  if (c->rpc && c->rpc_untaken >= UNTAKEN_MAX)
    stream_pause(c->stream);
}

void http_rpc_time(HttpConn *c) {
  if (c->rpc_ended)
    http_conn_over(c, c->rpc_status);
  else if (stream_pending(c->stream) > 0 && stream_sent(c->stream) == c->rpc_sent)
    http_conn_free(c);
  else
    watch(c, STALL_MS);
}
