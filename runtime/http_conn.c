/* See http_conn.h. A request is read to its end before its response may end the exchange; the next one is
 * parsed after that. A response to a HEAD request sends its head alone. */
#include "runtime/http_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/call.h"
#include "runtime/peer.h"

#define READ_CHUNK (64 << 10)
/* A peer that sends nothing for this long between requests, or dribbles a head, is cut off. Never one that is owed an
 * answer or has not taken all of the last. */
#define IDLE_MS 120000
#define HEAD_MS 10000
/* What comes behind a request that is being answered is read up to here, because its end says that the client has gone.
 * Behind so much of it, who has gone is looked for from time to time. */
#define AHEAD_MAX (64 << 10)
#define LOOK_MS 1000

struct HttpConn {
  Runtime *rt;
  int fd;
  LoopFd *watch;
  LoopTimer *timer;
  HttpReader *reader;
  HttpRouteFn route;
  const HttpHandler *handler;
  void *data;
  Buf in, out;
  bool keep_alive, head_only, read_done, answered, closing, in_feed, dead, high;
  bool http_1_0; /* knows no chunks */
  bool chunked;  /* the response that is being sent */
  bool begun;    /* something has come at all */
  /* Where the peer is: nothing of a request has come, a part of its head, all of its head. */
  enum { AT_REST, IN_HEAD, IN_REQUEST } at;
  int timing_ms; /* what the timer runs for; 0: it does not */
};

static void exchange_over(HttpConn *c) {
  const HttpHandler *h = c->handler;
  c->handler = NULL;
  if (h && h->on_end)
    h->on_end(c);
  c->data = NULL;
}

static void conn_free(HttpConn *c) {
  exchange_over(c);
  loop_fd_free(c->watch);
  loop_timer_free(c->timer);
  if (c->fd >= 0)
    close(c->fd);
  http_reader_free(c->reader);
  buf_deinit(&c->in);
  buf_deinit(&c->out);
  free(c);
}

static void conn_drop(HttpConn *c) {
  if (c->in_feed)
    c->dead = true;
  else
    conn_free(c);
}

static void arm(HttpConn *c) {
  /* who does not read its responses is not read either */
  bool reading = !c->closing && !c->high && (!c->read_done || c->in.len < AHEAD_MAX);
  loop_fd_set(c->watch, (reading ? LOOP_READ : LOOP_CLOSED) | (c->out.len ? LOOP_WRITE : 0));
}

/* Only a head must come quickly: a body may take its time, and so may an answer and its reader. */
static void watch_time(HttpConn *c) {
  int wanted = c->at == IN_HEAD ? HEAD_MS : c->at == AT_REST && !c->out.len ? IDLE_MS : 0;
  if (c->read_done && c->in.len >= AHEAD_MAX)
    wanted = LOOK_MS;
  if (c->closing)
    wanted = 0;
  if (wanted == c->timing_ms)
    return;
  c->timing_ms = wanted;
  if (wanted)
    loop_timer_start(c->timer, wanted);
  else
    loop_timer_stop(c->timer);
}

Runtime *http_conn_runtime(const HttpConn *c) {
  return c->rt;
}
void http_conn_set_data(HttpConn *c, void *data) {
  c->data = data;
}
void *http_conn_data(const HttpConn *c) {
  return c->data;
}
size_t http_conn_pending(const HttpConn *c) {
  return c->out.len;
}
void http_conn_abort(HttpConn *c) {
  conn_drop(c);
}

/* ---- out ---- */

static void put(HttpConn *c, const void *data, size_t len) {
  if (buf_append(&c->out, data, len))
    abort(); /* writers stop at HTTP_PENDING_HIGH */
  if (c->out.len > HTTP_PENDING_HIGH)
    c->high = true;
}

void http_conn_begin(HttpConn *c, int status, const char *type, const char *headers, int64_t len) {
  Buf head = BUF_INIT(0);
  if (buf_printf(&head, "HTTP/1.1 %d %s\r\ncontent-length: %lld\r\n", status, http_status_text(status),
                 (long long)len) ||
      (*type && buf_printf(&head, "content-type: %s\r\n", type)) || buf_append_str(&head, headers) ||
      buf_append_str(&head, c->keep_alive ? "\r\n" : "connection: close\r\n\r\n"))
    abort();
  put(c, head.data, head.len);
  buf_deinit(&head);
}

void http_conn_begin_chunked(HttpConn *c, int status, const char *type) {
  Buf head = BUF_INIT(0);
  c->chunked = !c->http_1_0;
  /* to such a client the end of the connection is the end of the response */
  c->keep_alive = c->keep_alive && c->chunked;
  if (buf_printf(&head, "HTTP/1.1 %d %s\r\ncontent-type: %s\r\n%s%s\r\n", status, http_status_text(status), type,
                 c->chunked ? "transfer-encoding: chunked\r\n" : "", c->keep_alive ? "" : "connection: close\r\n"))
    abort();
  put(c, head.data, head.len);
  buf_deinit(&head);
}

void http_conn_data_out(HttpConn *c, const void *data, size_t len) {
  char size[24];
  if (c->head_only || !len)
    return;
  if (c->chunked)
    put(c, size, (size_t)snprintf(size, sizeof size, "%zx\r\n", len));
  put(c, data, len);
  if (c->chunked)
    put(c, "\r\n", 2);
  arm(c);
}

static void next_request(HttpConn *c);

static void finish_exchange(HttpConn *c) {
  exchange_over(c);
  c->answered = c->read_done = c->head_only = false;
  c->at = AT_REST;
  if (!c->keep_alive)
    c->closing = true;
}

void http_conn_finish(HttpConn *c) {
  c->answered = true;
  if (c->chunked)
    put(c, "0\r\n\r\n", 5);
  c->chunked = false;
  if (c->read_done) {
    finish_exchange(c);
    if (!c->in_feed)
      next_request(c);
  }
  if (!c->dead && c->fd >= 0)
    arm(c);
}

void http_conn_respond(HttpConn *c, int status, const char *type, const char *headers, const void *body, size_t len) {
  http_conn_begin(c, status, type, headers, (int64_t)len);
  if (!c->head_only && len)
    put(c, body, len);
  http_conn_finish(c);
}

void http_conn_respond_json(HttpConn *c, int status, const char *json) {
  http_conn_respond(c, status, "application/json", "", json, strlen(json));
}

/* ---- in ---- */

bool http_unquote(const char *s, char *out) {
  for (; *s; s++) {
    if (*s != '%') {
      *out++ = *s;
      continue;
    }
    char hex[3] = {s[1], s[1] ? s[2] : 0, 0}, *end;
    long v = strtol(hex, &end, 16);
    if (end != hex + 2 || v == 0)
      return false;
    *out++ = (char)v;
    s += 2;
  }
  *out = 0;
  return true;
}

static bool on_head(void *arg, const HttpHead *head) {
  HttpConn *c = arg;
  loop_timer_stop(c->timer);
  c->timing_ms = 0;
  c->at = IN_REQUEST;
  c->keep_alive = head->keep_alive;
  c->http_1_0 = head->minor_version == 0;
  c->head_only = strcmp(head->method, "HEAD") == 0;
  const char *expect = http_head_get(head, "Expect");
  if (expect && strcasecmp(expect, "100-continue") == 0)
    put(c, "HTTP/1.1 100 Continue\r\n\r\n", 25);
  size_t len = strcspn(head->target, "?#");
  CLEANUP(str_freep) char *raw = str_ndup(head->target, len);
  CLEANUP(str_freep) char *path = str_ndup(raw, len);
  if (!http_unquote(raw, path) || *path != '/') {
    http_conn_respond_json(c, 400, "{\"detail\":\"Bad Request\"}");
    return true;
  }
  c->handler = c->route(c, head, path);
  if (c->handler && c->handler->on_start)
    c->handler->on_start(c, head, path);
  return true;
}

static void on_body(void *arg, const uint8_t *data, size_t len) {
  HttpConn *c = arg;
  if (!c->answered && c->handler && c->handler->on_body)
    c->handler->on_body(c, data, len);
}

static void on_end(void *arg) {
  HttpConn *c = arg;
  c->read_done = true;
  if (c->answered)
    return finish_exchange(c);
  if (c->handler && c->handler->on_complete)
    c->handler->on_complete(c);
}

static const HttpReaderHandlers READER = {.on_head = on_head, .on_body = on_body, .on_end = on_end};

/* Parses what was read, up to the end of a request that is not answered yet. */
static void feed(HttpConn *c) {
  Error err;
  size_t used;
  c->in_feed = true;
  while (c->in.len && !c->read_done && !c->closing && !c->dead && !c->high) {
    c->at = c->at == AT_REST ? IN_HEAD : c->at; /* if it is more than that, the reader says so */
    if (http_reader_feed(c->reader, c->in.data, c->in.len, &used, &err)) {
      c->keep_alive = false;
      if (!c->answered)
        http_conn_respond_json(c, err.kind == ERROR_RESOURCE_EXHAUSTED ? 431 : 400,
                               "{\"detail\":\"Invalid HTTP request received.\"}");
      c->closing = true;
      buf_consume(&c->in, c->in.len);
      break;
    }
    buf_consume(&c->in, used);
    if (used == 0)
      break;
  }
  c->in_feed = false;
}

static void flush(HttpConn *c) {
  while (c->out.len) {
    ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      c->dead = true;
      return;
    }
    buf_consume(&c->out, (size_t)n);
  }
  if (c->closing && c->out.len == 0)
    c->dead = true;
}

static void next_request(HttpConn *c) {
  feed(c);
  if (!c->dead && !c->in.len)
    arm(c);
}

/* A call, not HTTP: its first byte is a type of frame, which no method begins with. So one port serves both, where a
 * Pod has no socket but those of its network. True: it was handed on, and c is freed. */
static bool is_call(HttpConn *c) {
  uint8_t first;
  ssize_t n = recv(c->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT);
  c->begun = c->begun || n == 1;
  if (n != 1 || first != WIRE_OPEN)
    return false;
  Runtime *rt = c->rt;
  int fd = c->fd;
  c->fd = -1;
  conn_free(c);
  call_accept_by_network(rt, fd);
  return true;
}

static void on_io(int events, void *arg) {
  HttpConn *c = arg;
  if (c->rt->calls_by_http && events & LOOP_READ && !c->begun && is_call(c))
    return;
  if (events & LOOP_CLOSED && !(events & LOOP_READ))
    return conn_free(c);
  if (events & LOOP_READ) {
    uint8_t *to = buf_reserve(&c->in, READ_CHUNK);
    ssize_t n = recv(c->fd, to, READ_CHUNK, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    /* who only sends no more may have the rest of what it is owed; an answer that is not made yet nobody waits for */
    if (n < 0 || (n == 0 && (c->at == IN_REQUEST || !c->out.len)))
      return conn_free(c);
    c->closing = c->closing || n == 0;
    c->in.len += (size_t)n;
    feed(c);
    if (c->dead)
      return conn_free(c);
  }
  flush(c);
  if (!c->dead && c->high && c->out.len < HTTP_PENDING_HIGH / 2) {
    c->high = false;
    c->in_feed = true;
    if (c->handler && c->handler->on_drained)
      c->handler->on_drained(c);
    c->in_feed = false;
    if (!c->dead && !c->read_done)
      feed(c);
  }
  if (c->dead)
    return conn_free(c);
  watch_time(c);
  arm(c);
}

static void on_timer(void *arg) {
  HttpConn *c = arg;
  if (c->timing_ms != LOOK_MS || peer_is_gone(c->fd))
    return conn_free(c);
  loop_timer_start(c->timer, LOOK_MS);
}

void http_conn_accept(Runtime *rt, int fd, HttpRouteFn route) {
  HttpConn *c = new0(HttpConn);
  *c = (HttpConn){.rt = rt, .fd = fd, .route = route, .in = BUF_INIT(0), .out = BUF_INIT(0)};
  c->reader = http_reader_new(HTTP_REQUESTS, &READER, c);
  c->timer = loop_timer_new(rt->loop, on_timer, c);
  c->watch = loop_fd_new(rt->loop, fd, LOOP_READ, on_io, c);
  watch_time(c);
}
