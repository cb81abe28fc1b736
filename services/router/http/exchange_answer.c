/* See exchange_answer.h. */
#include "services/router/http/exchange_answer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "services/router/http/reuse.h"

/* Programs send one or two: 100 and 103. */
#define INTERIM_MAX 8

/* The answer goes on. Its first bytes are no sign of that, and interim heads may come for ever. */
static void note(Exchange *e) {
  e->last_ms = clock_mono_ms();
}

static bool on_head(void *arg, const HttpHead *head) {
  Exchange *e = arg;
  /* an interim answer that nobody asked for may be the end of an earlier one */
  e->reusable = e->reusable && !e->interim;
  e->interim = head->status < 200;
  if (head->status == 101) {
    e->refused = !e->upgrade;
    if (e->refused)
      return false;
    e->stage = STAGE_TUNNEL;
    e->handlers.on_switch(e->arg, head);
    exchange_watch(e);
    return false;
  }
  if (e->interim) {
    e->n_interim++;
    return e->n_interim <= INTERIM_MAX;
  }
  e->headed = true;
  note(e);
  e->reuse_next = reuse_suits_answer(head);
  e->handlers.on_head(e->arg, head);
  return true;
}

static void on_body(void *arg, const uint8_t *data, size_t len) {
  Exchange *e = arg;
  e->handlers.on_body(e->arg, data, len);
}

static void on_trailer(void *arg, const HttpHeader *field) {
  Exchange *e = arg;
  e->handlers.on_trailer(e->arg, field);
}

static void on_end(void *arg) {
  Exchange *e = arg;
  e->whole = !e->interim;
}

static const HttpReaderHandlers READER_HANDLERS = {
    .on_head = on_head, .on_body = on_body, .on_trailer = on_trailer, .on_end = on_end};

/* No reader, and no time limit: gRPC has its own. */
static void give_away(Exchange *e) {
  Stream *stream = e->stream;
  e->stream = NULL;
  e->stage = STAGE_TUNNEL;
  buf_deinit(&e->early);
  loop_timer_stop(e->timer);
  e->handlers.on_stream(e->arg, stream);
}

void exchange_accepted(Exchange *e) {
  if (e->raw) {
    give_away(e);
    return;
  }
  e->stage = STAGE_HTTP;
  e->reader = http_reader_new(HTTP_RESPONSES, &READER_HANDLERS, e);
  if (e->is_head_request)
    http_reader_expect_no_body(e->reader);
  stream_write(e->stream, e->early.data, e->early.len);
  if (!e->kept) {
    ConnKey key = exchange_key(e);
    buf_deinit(&e->early);
    upstream_pool_wait(e->router->upstreams, &e->wait, &key);
  }
  exchange_watch(e);
  e->handlers.on_ready(e->arg);
}

/* ---- Its end ---- */

/* Nothing is left of this request or its answer, and there is no doubt where they ended. */
static bool leaves_connection(const Exchange *e) {
  return e->reusable && e->reuse_next && http_reader_is_exact(e->reader) && stream_pending(e->stream) == 0;
}

/* The answer is whole. clean: not a byte came behind it. */
static void finish(Exchange *e, bool clean) {
  e->stage = STAGE_OVER;
  loop_timer_stop(e->timer);
  if (clean && leaves_connection(e)) {
    ConnKey key = exchange_key(e);
    upstream_pool_give(e->router->upstreams, &key, e->stream);
    e->stream = NULL;
  }
  e->handlers.on_end(e->arg);
}

/* A TLS record of version 3.x: a handshake that was expected, or an alert. */
static bool is_tls(const uint8_t *data, size_t len) {
  return len >= 3 && (data[0] == 0x15 || data[0] == 0x16) && data[1] == 3;
}

size_t exchange_answer_data(Exchange *e, const uint8_t *data, size_t len) {
  size_t used;
  Error err = {0};
  unsigned port = e->target.port;
  bool tls = !e->read && is_tls(data, len);
  e->read = true;
  upstream_pool_waited(&e->wait, true);
  if (e->headed)
    note(e);
  if (!tls && http_reader_feed(e->reader, data, len, &used, &err) == 0 && !e->refused && e->n_interim <= INTERIM_MAX) {
    if (e->whole)
      finish(e, used == len);
    return used;
  }
  if (e->dead || e->stage == STAGE_OVER)
    return len;
  if (tls)
    exchange_fail(e, FAILURE_NOT_HTTP, "port %u speaks TLS; the router speaks plain HTTP to it", port);
  else if (e->refused)
    exchange_fail(e, FAILURE_NOT_HTTP,
                  "port %u answered 101 Switching Protocols to a request that asked for no upgrade", port);
  else if (e->n_interim > INTERIM_MAX)
    exchange_fail(e, FAILURE_NOT_HTTP, "port %u sent more than %d interim answers and no other", port, INTERIM_MAX);
  else if (e->headed)
    exchange_fail(e, FAILURE_CUT, "the body that port %u sent is not HTTP: %s", port, err.message);
  else
    exchange_fail(e, FAILURE_NOT_HTTP, "what port %u answered is not HTTP: %s", port, err.message);
  return len;
}

static void on_autopsy(void *arg, const SandboxRecord *record, const Error *err) {
  Exchange *e = arg;
  e->lookup = NULL;
  exchange_enter(e);
  if (err && err->kind == ERROR_FAILED_PRECONDITION)
    exchange_note_failure(e, FAILURE_ENDED, "%s", err->message);
  exchange_fail_as_noted(e);
  exchange_leave(e);
}

/* A kept connection ended as the request was sent, which nobody has answered: from the beginning, also with the
 * question whose sandbox it is. */
static void begin_anew(Exchange *e) {
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_RETRIES, 1, exchange_ns_label(e), NULL, NULL);
  exchange_drop(e);
  http_reader_free(e->reader);
  e->reader = NULL;
  e->anew = true;
  e->kept = false;
  e->attempts--;
}

/* The connection ended before the answer did. errnum 0: in order. */
static ExchangeAnswer break_off(Exchange *e, int errnum) {
  unsigned port = e->target.port;
  if (e->kept && !e->read) {
    begin_anew(e);
    return ANSWER_BEGINS_ANEW;
  }
  const char *how = errnum ? strerror(errnum) : "it was closed";
  if (e->headed) {
    exchange_fail(e, FAILURE_CUT, "the connection of port %u ended in the midst of the answer: %s", port, how);
    return ANSWER_ENDED;
  }
  exchange_note_failure(e, FAILURE_NO_ANSWER, "the connection of port %u ended %s: %s", port,
                        e->read ? "in the midst of the answer's head" : "before there was an answer", how);
  exchange_drop(e);
  e->stage = STAGE_AUTOPSY;
  /* the state has the time that the program had */
  exchange_watch(e);
  e->lookup =
      sandbox_lookup(e->router->state, e->router->loop, e->target.ns, e->target.id, &e->target.pass, on_autopsy, e);
  return ANSWER_ENDED;
}

ExchangeAnswer exchange_answer_ended(Exchange *e, int errnum) {
  Error err;
  /* an answer without a length ends here */
  bool over = !errnum && http_reader_eof(e->reader, &err) == 0 && e->whole;
  if (!over)
    return break_off(e, errnum);
  finish(e, false);
  return ANSWER_ENDED;
}
