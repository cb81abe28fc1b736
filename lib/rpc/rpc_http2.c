/* See rpc_http2.h. */
#include "lib/rpc/rpc_http2.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/loop/stream.h"

const Http2Config RPC_HTTP2_CONFIG = {
    .max_head_bytes = 64 << 10,
    .max_fields = 128,
    .max_continuations = 8,
    .max_settings = 32,
    .header_table = 4 << 10,
    /* a tenth of all calls of a process */
    .max_streams = 1000,
    .stream_window = 256 << 10,
    /* sixteen calls whose messages nobody reads leave room for the others */
    .session_window = 4 << 20,
    .stream_out = STREAM_HIGH,
    .session_out = 4 << 20,
    .max_kept = 8 << 20,
    .floods =
        {
            [HTTP2_FLOOD_RESETS] = {1000, 33},
            [HTTP2_FLOOD_SETTINGS] = {100, 5},
            [HTTP2_FLOOD_PINGS] = {200, 10},
            [HTTP2_FLOOD_PRIORITIES] = {1000, 100},
            [HTTP2_FLOOD_WINDOW_UPDATES] = {1000, 200},
            [HTTP2_FLOOD_EMPTY] = {200, 10},
        },
    .max_unread_acks = 1000,
    .head_ms = 10000,
    .idle_ms = 120000,
    .stall_ms = 60000,
    .farewell_ms = 1000,
};

typedef struct Taken {
  ListLink link;
  Http2Stream *stream;
  RpcHttpCall *call;
} Taken;

enum { MAX_FIELDS = 16 };

static size_t fields_of(const RpcMetadata *from, size_t n, Http2Field to[MAX_FIELDS]) {
  if (n > MAX_FIELDS)
    abort(); /* lib/rpc says no more than its own */
  for (size_t i = 0; i < n; i++)
    to[i] = (Http2Field){from[i].key, from[i].value};
  return n;
}

static void respond(void *arg, int status, const RpcMetadata *fields, size_t n_fields, bool ended) {
  Http2Field all[MAX_FIELDS];
  size_t n = fields_of(fields, n_fields, all);
  http2_stream_respond(((Taken *)arg)->stream, status, all, n, ended);
}

static void write_body(void *arg, const void *data, size_t len) {
  http2_stream_write(((Taken *)arg)->stream, data, len);
}

static void finish(void *arg, const RpcMetadata *trailers, size_t n_trailers) {
  Http2Field all[MAX_FIELDS];
  size_t n = fields_of(trailers, n_trailers, all);
  http2_stream_finish(((Taken *)arg)->stream, all, n);
}

static bool is_full(void *arg) {
  return http2_stream_is_full(((Taken *)arg)->stream);
}

static void took(void *arg, size_t len) {
  http2_stream_took(((Taken *)arg)->stream, len);
}

static const RpcHttpExit OUT = {
    .respond = respond, .write = write_body, .finish = finish, .is_full = is_full, .took = took};

static void close_call(Taken *t, bool answered) {
  list_remove(&t->link);
  rpc_http_close(t->call, answered);
  free(t);
}

static void on_body(void *owner, const uint8_t *data, size_t len) {
  rpc_http_body(((Taken *)owner)->call, data, len);
}

static void on_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  rpc_http_end(((Taken *)owner)->call);
}

static void on_drain(void *owner) {
  rpc_http_drained(((Taken *)owner)->call);
}

static void on_close(void *owner, uint32_t code) {
  close_call(owner, code == HTTP2_NO_ERROR);
}

static const Http2Handlers HANDLERS = {
    .on_body = on_body, .on_end = on_end, .on_drain = on_drain, .on_close = on_close};

bool rpc_http2_take(RpcHttp *http, Http2Stream *stream, const Http2Request *request, const char *peer, List *calls) {
  RpcMetadata *fields = xcalloc(request->n_fields, sizeof *fields);
  for (size_t i = 0; i < request->n_fields; i++)
    fields[i] = (RpcMetadata){request->fields[i].name, request->fields[i].value};
  const RpcHttpRequest all = {.method = request->method,
                              .path = request->path ? request->path : "",
                              .fields = fields,
                              .n_fields = request->n_fields,
                              .peer = peer,
                              .is_http2 = true};
  bool taken = rpc_http_takes(http, &all);
  if (taken) {
    Taken *t = new0(Taken);
    t->stream = stream;
    list_append(calls, &t->link);
    http2_stream_give(stream, &HANDLERS, t);
    t->call = rpc_http_begin(http, &all, &OUT, t);
    if (request->ended)
      rpc_http_end(t->call);
  }
  free(fields);
  return taken;
}

void rpc_http2_close(List *calls) {
  ListLink *link;
  while ((link = list_take_first(calls)))
    close_call(CONTAINER_OF(link, Taken, link), false);
}
