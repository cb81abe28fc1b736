/* What a call sends over HTTP.
 *
 * Messages wait here and are handed on as far as the exit takes them, so that a large one holds up none beside it, and
 * what a connection keeps is bounded by its own limits. A message has left when all of it was handed on. The status
 * goes behind the last: in trailers, for gRPC-Web as the last frame of the body, and without a message before it in the
 * head alone.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_http_impl.h"
#include "lib/rpc/rpc_status.h"

enum {
  /* Handed on at a time; of three bytes each, so that text needs no padding in between. */
  PIECE = 30 << 10,
  TRAILER_FLAG = 0x80,
  MAX_FIELDS = 8,
};

typedef struct Fields {
  RpcMetadata at[MAX_FIELDS];
  size_t n;
} Fields;

static void add(Fields *fields, const char *key, const char *value) {
  fields->at[fields->n++] = (RpcMetadata){key, value};
}

void rpc_http_kick(RpcHttpCall *c) {
  if (list_is_linked(&c->due))
    return;
  if (list_is_empty(&c->http->due))
    loop_timer_start(c->http->kick, 0);
  list_append(&c->http->due, &c->due);
}

/* ---- Heads ---- */

/* What a browser wants to hear before a page may see the answer. */
static void add_origin(Fields *fields, const RpcHttpCall *c) {
  if (!c->origin)
    return;
  add(fields, "access-control-allow-origin", c->origin);
  add(fields, "access-control-expose-headers", "grpc-status, grpc-message, grpc-status-details-bin");
  add(fields, "vary", "origin");
}

static void add_head(Fields *fields, const RpcHttpCall *c) {
  add(fields, "content-type", rpc_http_content_type(c->form));
  add(fields, "grpc-accept-encoding", "identity");
  add_origin(fields, c);
}

static void say_head(RpcHttpCall *c) {
  Fields fields = {.n = 0};
  if (c->headed)
    return;
  c->headed = true;
  add_head(&fields, c);
  c->out->respond(c->out_arg, 200, fields.at, fields.n, false);
}

void rpc_http_answer(RpcHttpCall *c, int status, const RpcMetadata *fields, size_t n_fields) {
  Fields all = {.n = 0};
  for (size_t i = 0; i < n_fields; i++)
    add(&all, fields[i].key, fields[i].value);
  add(&all, "content-length", "0");
  c->refused = c->headed = c->ended = true;
  c->out->respond(c->out_arg, status, all.at, all.n, true);
}

/* ---- The status ---- */

/* The texts are the arena's. */
static void add_status(Fields *fields, RpcHttpCall *c) {
  add(fields, "grpc-status", arena_printf(c->strings, "%d", c->call.status));
  if (!str_empty(c->call.status_message)) {
    CLEANUP(buf_deinit) Buf text = {0};
    rpc_http_encode_message(&text, c->call.status_message);
    add(fields, "grpc-message", arena_strndup(c->strings, buf_str(&text), text.len));
  }
  if (c->call.details_len > 0) {
    CLEANUP(buf_deinit) Buf text = {0};
    if (str_base64_encode(&text, c->call.details_bytes, c->call.details_len, false) != 0)
      return;
    while (text.data[text.len - 1] == '=')
      text.len--;
    add(fields, RPC_STATUS_DETAILS_KEY, arena_strndup(c->strings, buf_str(&text), text.len));
  }
}

static void put(RpcHttpCall *c, const uint8_t *data, size_t len) {
  if (c->form != RPC_FORM_WEB_TEXT) {
    c->out->write(c->out_arg, data, len);
    return;
  }
  CLEANUP(buf_deinit) Buf text = {0};
  /* far below what a buffer takes */
  if (rpc_http_text_encode(&text, data, len) != 0)
    abort();
  c->out->write(c->out_arg, text.data, text.len);
}

static void prefix(uint8_t out[RPC_PREFIX_LEN], uint8_t flags, size_t len) {
  out[0] = flags;
  for (int i = 0; i < 4; i++)
    out[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

/* "name: value" CR LF of each, as a frame. */
static void put_web_status(RpcHttpCall *c, const Fields *fields) {
  CLEANUP(buf_deinit) Buf frame = {0};
  uint8_t head[RPC_PREFIX_LEN] = {0};
  if (buf_append(&frame, head, sizeof head) != 0)
    abort();
  for (size_t i = 0; i < fields->n; i++)
    if (buf_printf(&frame, "%s: %s\r\n", fields->at[i].key, fields->at[i].value) != 0)
      abort();
  prefix(frame.data, TRAILER_FLAG, frame.len - RPC_PREFIX_LEN);
  put(c, frame.data, frame.len);
}

static void say_end(RpcHttpCall *c) {
  Fields fields = {.n = 0};
  c->ended = true;
  if (c->form == RPC_FORM_GRPC && !c->headed) {
    c->headed = true;
    add_head(&fields, c);
    add_status(&fields, c);
    c->out->respond(c->out_arg, 200, fields.at, fields.n, true);
    return;
  }
  say_head(c);
  add_status(&fields, c);
  if (c->form == RPC_FORM_GRPC) {
    c->out->finish(c->out_arg, fields.at, fields.n);
  } else {
    put_web_status(c, &fields);
    c->out->finish(c->out_arg, NULL, 0);
  }
}

/* ---- Messages ---- */

static void left(RpcHttpCall *c, RpcHttpWrite *write) {
  c->first = write->next;
  if (!c->first)
    c->last = &c->first;
  c->pending -= write->message_len;
  if (!write->fn || c->call.finished) {
    free(write);
    return;
  }
  write->next = NULL;
  *c->last_written = write;
  c->last_written = &write->next;
  rpc_http_kick(c);
}

void rpc_http_feed(RpcHttpCall *c) {
  if (!c->out || c->ended)
    return;
  if (c->first)
    say_head(c);
  while (c->first && !c->out->is_full(c->out_arg)) {
    RpcHttpWrite *write = c->first;
    size_t rest = write->len - write->fed, n = rest < PIECE ? rest : PIECE;
    put(c, write->data + write->fed, n);
    write->fed += n;
    if (write->fed == write->len)
      left(c, write);
  }
  if (!c->first && c->call.finished)
    say_end(c);
}

void rpc_http_write(RpcCall *call, grpc_slice message, bool last, RpcWrittenFn fn, void *arg) {
  RpcHttpCall *c = rpc_http_of(call);
  size_t len = GRPC_SLICE_LENGTH(message);
  if (c->out) {
    RpcHttpWrite *write = xmalloc(sizeof *write + RPC_PREFIX_LEN + len);
    *write = (RpcHttpWrite){.message_len = len, .len = RPC_PREFIX_LEN + len, .fn = fn, .arg = arg};
    prefix(write->data, 0, len);
    if (len > 0)
      memcpy(write->data + RPC_PREFIX_LEN, GRPC_SLICE_START_PTR(message), len);
    *c->last = write;
    c->last = &write->next;
    c->pending += len;
    if (!last)
      rpc_http_feed(c);
  }
  grpc_slice_unref(message);
}

void rpc_http_finish(RpcCall *call) {
  rpc_http_feed(rpc_http_of(call));
}

void rpc_http_tell_written(RpcHttpCall *c) {
  RpcHttpWrite *write;
  while ((write = c->written)) {
    c->written = write->next;
    if (!c->written)
      c->last_written = &c->written;
    if (!c->call.finished)
      write->fn(&c->call, write->arg);
    free(write);
  }
}

static void drop(RpcHttpWrite *write) {
  while (write) {
    RpcHttpWrite *next = write->next;
    free(write);
    write = next;
  }
}

void rpc_http_drop_writes(RpcHttpCall *c) {
  drop(c->first);
  drop(c->written);
  c->first = c->written = NULL;
  c->last = &c->first;
  c->last_written = &c->written;
  c->pending = 0;
}
