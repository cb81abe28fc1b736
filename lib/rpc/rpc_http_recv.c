/* What a call receives over HTTP.
 *
 * Bytes are kept until they are a message that somebody wants. While one is wanted they count as taken, for the message
 * must become whole; else they do not, and the peer's window bounds them. The client owes the first message from the
 * beginning: calls that never get one must not pile up.
 */
#include <stdlib.h>

#include "lib/rpc/rpc_http_impl.h"

enum {
  /* For the first byte of the first message, and then for the rest of it. */
  FIRST_MS = 10 * 1000,
  REST_MS = 60 * 1000,
  SWEEP_MS = 1000,
  /* A buffer that was larger is given back when it is empty. */
  KEEP_IN = 16 << 10,
};

/* ---- The first message ---- */

void rpc_http_owe(RpcHttpCall *c) {
  RpcHttp *http = c->http;
  if (list_is_empty(&http->waiting))
    loop_timer_start(http->sweep, SWEEP_MS);
  c->owed_ms = loop_now_ms(http->loop) + FIRST_MS;
  list_append(&http->waiting, &c->waiting);
}

void rpc_http_owe_no_more(RpcHttpCall *c) {
  list_remove(&c->waiting);
}

static void end_late(RpcHttpCall *c) {
  Error why;
  rpc_http_owe_no_more(c);
  /* a handler that does not ask is not the client's delay */
  if (!c->wants)
    return;
  error_set(&why, ERROR_DEADLINE_EXCEEDED, "no whole message came within %d s",
            (c->began ? FIRST_MS + REST_MS : FIRST_MS) / 1000);
  rpc_call_hold(&c->call);
  rpc_http_fail(c, &why);
  rpc_call_release(&c->call);
}

void rpc_http_sweep(void *arg) {
  RpcHttp *http = arg;
  List late = LIST_INIT(late);
  ListLink *link;
  int64_t now = loop_now_ms(http->loop);
  LIST_EACH(RpcHttpCall, c, &http->waiting, waiting) {
    if (c->owed_ms > now)
      continue;
    list_remove(&c->waiting);
    list_append(&late, &c->waiting);
  }
  while ((link = list_first(&late)))
    end_late(CONTAINER_OF(link, RpcHttpCall, waiting));
  if (!list_is_empty(&http->waiting))
    loop_timer_start(http->sweep, SWEEP_MS);
}

/* ---- Messages ---- */

static void take(RpcHttpCall *c) {
  size_t keep = c->deaf || c->wants ? 0 : c->form == RPC_FORM_WEB_TEXT ? c->in.len / 3 * 4 : c->in.len;
  if (keep >= c->untaken)
    return;
  size_t n = c->untaken - keep;
  c->untaken = keep;
  if (c->out)
    c->out->took(c->out_arg, n);
}

static void drop_in(RpcHttpCall *c) {
  if (c->in.cap > KEEP_IN)
    buf_deinit(&c->in);
  c->in.len = 0;
}

void rpc_http_fail(RpcHttpCall *c, const Error *why) {
  c->deaf = true;
  c->wants = false;
  rpc_http_owe_no_more(c);
  if (!c->started) {
    c->started = true;
    rpc_call_finish(&c->call, why);
  } else {
    if (c->call.reading)
      rpc_call_tell_no_message(&c->call, false);
    rpc_call_end(&c->call, why);
  }
  take(c);
}

/* 1: whole, of *ret_len bytes behind its prefix; 0: not yet; -1: what there is breaks a rule. */
static int whole(const RpcHttpCall *c, size_t *ret_len, Error *err) {
  const uint8_t *p = c->in.data;
  if (c->in.len < RPC_PREFIX_LEN)
    return 0;
  size_t len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
  if (p[0] == 1)
    return error_set(err, ERROR_INTERNAL, "a message is compressed, and grpc-encoding names no compression");
  if (p[0] != 0)
    return error_set(err, ERROR_INTERNAL, "a message begins with the flags %d", p[0]);
  if (len > c->http->table.config.max_message_bytes)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the message of %zu bytes is larger than %zu", len,
                     c->http->table.config.max_message_bytes);
  *ret_len = len;
  return c->in.len - RPC_PREFIX_LEN >= len;
}

/* A unary method's call has no handler before its request is whole. */
static bool is_gathering(const RpcHttpCall *c) {
  return !c->started;
}

static void tell_message(RpcHttpCall *c, size_t len) {
  c->wants = false;
  c->had_message = true;
  rpc_http_owe_no_more(c);
  rpc_call_tell_message(&c->call, c->in.data + RPC_PREFIX_LEN, len);
  /* what was told may have ended it */
  if (c->in.len < RPC_PREFIX_LEN + len)
    return;
  buf_consume(&c->in, RPC_PREFIX_LEN + len);
  if (c->in.len == 0)
    drop_in(c);
}

/* The client has half-closed, and what is left is no whole message. */
static void take_end(RpcHttpCall *c) {
  Error err;
  bool cut = c->in.len > 0 || c->text.n > 0;
  rpc_http_owe_no_more(c);
  c->wants = false;
  if (cut) {
    error_set(&err, ERROR_INTERNAL, "the request ends within a message");
    rpc_http_fail(c, &err);
  } else if (is_gathering(c)) {
    rpc_http_start(c, false);
  } else {
    rpc_call_tell_no_message(&c->call, true);
  }
}

/* The client has gone. */
static void take_loss(RpcHttpCall *c) {
  c->wants = false;
  rpc_call_tell_no_message(&c->call, false);
}

/* The one message stays where it is, and waits for the end behind it. false: there is nothing to do for now. */
static bool gather(RpcHttpCall *c) {
  Error err;
  if (c->in.len > RPC_PREFIX_LEN + c->request_len) {
    error_set(&err, ERROR_INTERNAL, "more than one message came for a method that takes one");
    rpc_http_fail(c, &err);
    return true;
  }
  if (!c->half_closed)
    return false;
  rpc_http_owe_no_more(c);
  c->wants = false;
  rpc_http_start(c, true);
  return true;
}

/* false: there is nothing to tell for now. */
static bool step(RpcHttpCall *c) {
  Error err;
  size_t len;
  if (is_gathering(c) && c->request_len != SIZE_MAX)
    return gather(c);
  int rc = whole(c, &len, &err);
  if (rc < 0)
    rpc_http_fail(c, &err);
  else if (rc > 0 && is_gathering(c))
    c->request_len = len;
  else if (rc > 0)
    tell_message(c, len);
  else if (c->half_closed)
    take_end(c);
  else if (!c->out)
    take_loss(c);
  else
    return false;
  return true;
}

void rpc_http_advance(RpcHttpCall *c) {
  c->depth++;
  while (c->wants && !c->deaf && step(c)) {
  }
  c->depth--;
  if (c->call.finished) {
    c->deaf = true;
    rpc_http_owe_no_more(c);
  }
  take(c);
}

void rpc_http_want(RpcCall *call) {
  RpcHttpCall *c = rpc_http_of(call);
  c->wants = true;
  if (c->depth > 0)
    return;
  if (c->in.len > 0 || c->half_closed || !c->out)
    rpc_http_kick(c);
  else
    take(c);
}

void rpc_http_body(RpcHttpCall *c, const uint8_t *data, size_t len) {
  Error err;
  c->untaken += len;
  rpc_call_hold(&c->call);
  if (!c->deaf && !c->began && !c->had_message) {
    c->began = true;
    c->owed_ms += REST_MS;
  }
  if (c->deaf || c->refused || c->call.finished) {
    c->deaf = true;
    take(c);
  } else if (c->form == RPC_FORM_WEB_TEXT ? rpc_http_text_decode(&c->text, &c->in, data, len) != 0
                                          : buf_append(&c->in, data, len) != 0) {
    error_set(&err, ERROR_INTERNAL, "the body is not base64, or more than may wait");
    rpc_http_fail(c, &err);
  } else {
    rpc_http_advance(c);
  }
  rpc_call_release(&c->call);
}

void rpc_http_end(RpcHttpCall *c) {
  c->half_closed = true;
  if (c->refused || c->deaf)
    return;
  rpc_call_hold(&c->call);
  rpc_http_advance(c);
  rpc_call_release(&c->call);
}
