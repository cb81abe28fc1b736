/* See http_conn.h. A request is read to its end before its response may end the exchange; the next one is
 * parsed after that. A response to a HEAD request sends its head alone. */
#include "runtime/http/http_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/call/call.h"
#include "runtime/peer.h"

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
  Stream *stream; /* NULL: given away */
  LoopTimer *timer;
  HttpReader *reader;
  HttpRouteFn route;
  const HttpHandler *handler;
  void *data;
  size_t ahead; /* what is kept of the requests behind this one */
  bool keep_alive, head_only, read_done, answered, closing;
  bool in_callback, dead; /* it is freed when the handler that runs has returned */
  bool http_1_0;          /* knows no chunks */
  bool chunked;           /* the response that is being sent */
  bool begun;             /* something has come at all */
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
  stream_free(c->stream);
  loop_timer_free(c->timer);
  http_reader_free(c->reader);
  free(c);
}

/* Only a head must come quickly: a body may take its time, and so may an answer and its reader. */
static void watch_time(HttpConn *c) {
  int wanted = c->at == IN_HEAD ? HEAD_MS : c->at == AT_REST && !stream_pending(c->stream) ? IDLE_MS : 0;
  if (c->read_done && c->ahead >= AHEAD_MAX)
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

/* What a handler has brought about; c may be gone after it. */
static void settle(HttpConn *c) {
  c->in_callback = false;
  if (c->dead || (c->closing && stream_pending(c->stream) == 0))
    conn_free(c);
  else
    watch_time(c);
}

/* No further request; the rest of the answers is sent, and then it ends. */
static void start_closing(HttpConn *c) {
  c->closing = true;
  stream_pause(c->stream);
  watch_time(c);
  if (!c->in_callback && stream_pending(c->stream) == 0)
    loop_timer_start(c->timer, 0);
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
  return stream_pending(c->stream);
}
void http_conn_abort(HttpConn *c) {
  if (c->in_callback)
    c->dead = true;
  else
    conn_free(c);
}

/* ---- out ---- */

static void put(HttpConn *c, const void *data, size_t len) {
  stream_queue(c->stream, data, len);
  /* who does not read its responses is not read either */
  if (stream_pending(c->stream) >= STREAM_HIGH)
    stream_pause(c->stream);
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
}

static void finish_exchange(HttpConn *c) {
  exchange_over(c);
  c->answered = c->read_done = c->head_only = false;
  c->at = AT_REST;
  if (c->keep_alive)
    stream_show_again(c->stream);
  else
    start_closing(c);
}

void http_conn_finish(HttpConn *c) {
  c->answered = true;
  if (c->chunked)
    put(c, "0\r\n\r\n", 5);
  c->chunked = false;
  if (c->read_done)
    finish_exchange(c);
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

/* Parses up to the end of the request. */
static size_t feed(HttpConn *c, const uint8_t *data, size_t len) {
  Error err;
  size_t used;
  c->at = c->at == AT_REST ? IN_HEAD : c->at; /* if it is more than that, the reader says so */
  if (http_reader_feed(c->reader, data, len, &used, &err) == 0)
    return used;
  c->keep_alive = false;
  if (!c->answered)
    http_conn_respond_json(c, err.kind == ERROR_RESOURCE_EXHAUSTED ? 431 : 400,
                           "{\"detail\":\"Invalid HTTP request received.\"}");
  start_closing(c);
  return len;
}

/* A call, not HTTP: its first byte is a type of frame, which no method begins with. So one port serves both, where a
 * Pod has no socket but those of its network. It is handed on, and c is freed. */
static void become_call(HttpConn *c) {
  Runtime *rt = c->rt;
  Stream *stream = c->stream;
  c->stream = NULL;
  conn_free(c);
  call_accept_by_network(rt, stream);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  HttpConn *c = arg;
  if (c->rt->calls_by_http && !c->begun && *data == WIRE_OPEN) {
    become_call(c);
    return 0;
  }
  c->begun = true;
  c->in_callback = true;
  size_t used = c->read_done ? 0 : feed(c, data, len);
  c->ahead = len - used;
  settle(c);
  return used;
}

/* Who only sends no more may have the rest of what it is owed; an answer that is not made yet nobody waits for. */
static void on_hangup(void *arg) {
  HttpConn *c = arg;
  if (c->closing)
    return;
  if (c->at == IN_REQUEST || stream_pending(c->stream) == 0)
    conn_free(c);
  else
    start_closing(c);
}

static void on_error(void *arg, int errnum) {
  conn_free(arg);
}

static void on_drain(void *arg) {
  HttpConn *c = arg;
  if (!c->closing)
    stream_resume(c->stream);
  c->in_callback = true;
  if (c->handler && c->handler->on_drained)
    c->handler->on_drained(c);
  settle(c);
}

static void on_flushed(void *arg) {
  settle(arg);
}

static const StreamHandlers HANDLERS = {.on_data = on_data,
                                        .on_eof = on_hangup,
                                        .on_drain = on_drain,
                                        .on_error = on_error,
                                        .must_write = true,
                                        .on_flushed = on_flushed,
                                        .on_hangup = on_hangup};

static void on_timer(void *arg) {
  HttpConn *c = arg;
  if (c->timing_ms != LOOK_MS || peer_is_gone(stream_fd(c->stream)))
    return conn_free(c);
  loop_timer_start(c->timer, LOOK_MS);
}

void http_conn_accept(Runtime *rt, int fd, HttpRouteFn route) {
  HttpConn *c = new0(HttpConn);
  *c = (HttpConn){.rt = rt, .route = route};
  c->reader = http_reader_new(HTTP_REQUESTS, &READER, c);
  c->timer = loop_timer_new(rt->loop, on_timer, c);
  c->stream = stream_new(rt->loop, fd, AHEAD_MAX, &HANDLERS, c);
  watch_time(c);
}
