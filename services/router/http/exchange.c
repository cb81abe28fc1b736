/* See exchange.h. */
#include "services/router/http/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "services/router/http/exchange_state.h"

/* A head, and the part of a body that came with it. */
#define EARLY_MAX (2 * HTTP_MAX_HEAD_BYTES + STREAM_HIGH)

static void on_timer(void *arg);

static void release(Exchange *e) {
  http_reader_free(e->reader);
  free(e->route);
  free(e);
}

void exchange_enter(Exchange *e) {
  e->depth++;
}

void exchange_leave(Exchange *e) {
  if (--e->depth == 0 && e->dead)
    release(e);
}

void exchange_drop(Exchange *e) {
  sandbox_lookup_cancel(e->lookup);
  e->lookup = NULL;
  pod_bind_free(e->bind);
  e->bind = NULL;
  dial_free(e->dial);
  e->dial = NULL;
  stream_free(e->stream);
  e->stream = NULL;
}

void exchange_free(Exchange *e) {
  if (!e)
    return;
  exchange_drop(e);
  activity_stop(e->activity, clock_wall_ms());
  loop_timer_free(e->timer);
  buf_deinit(&e->early);
  buf_deinit(&e->inside);
  e->dead = true;
  e->stage = STAGE_OVER;
  if (e->depth == 0)
    release(e);
}

bool exchange_is_found(const Exchange *e) {
  return e->found;
}

const char *exchange_ns_label(const Exchange *e) {
  return e->found ? e->target.ns : "-";
}

void exchange_note_args(Exchange *e, Failure failure, const char *fmt, va_list ap) {
  e->failure = failure;
  vsnprintf(e->why, sizeof e->why, fmt, ap);
}

void exchange_note_failure(Exchange *e, Failure failure, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  exchange_note_args(e, failure, fmt, ap);
  va_end(ap);
}

/* With what was noted. */
void exchange_fail_as_noted(Exchange *e) {
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_ERRORS, 1, exchange_ns_label(e),
              FAILURES[e->failure].upstream, NULL);
  exchange_drop(e);
  loop_timer_stop(e->timer);
  e->stage = STAGE_OVER;
  e->handlers.on_fail(e->arg, e->failure, e->why);
}

void exchange_fail(Exchange *e, Failure failure, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  exchange_note_args(e, failure, fmt, ap);
  va_end(ap);
  exchange_fail_as_noted(e);
}

static bool on_head(void *arg, const HttpHead *head);
static void on_body(void *arg, const uint8_t *data, size_t len);
static void on_trailer(void *arg, const HttpHeader *field);
static void on_end(void *arg);

/* A TLS record of version 3.x: a handshake that was expected, or an alert. */
static bool is_tls(const uint8_t *data, size_t len) {
  return len >= 3 && (data[0] == 0x15 || data[0] == 0x16) && data[1] == 3;
}

static size_t take_http(Exchange *e, const uint8_t *data, size_t len) {
  size_t used;
  Error err = {0};
  unsigned port = e->target.port;
  bool tls = !e->read && is_tls(data, len);
  e->read = true;
  if (!tls && http_reader_feed(e->reader, data, len, &used, &err) == 0 && !e->refused)
    return used;
  if (e->dead || e->stage == STAGE_OVER)
    return len;
  if (tls)
    exchange_fail(e, FAILURE_NOT_HTTP, "port %u speaks TLS; the router speaks plain HTTP to it", port);
  else if (e->refused)
    exchange_fail(e, FAILURE_NOT_HTTP,
                  "port %u answered 101 Switching Protocols to a request that asked for no upgrade", port);
  else if (e->headed)
    exchange_fail(e, FAILURE_CUT, "the body that port %u sent is not HTTP: %s", port, err.message);
  else
    exchange_fail(e, FAILURE_NOT_HTTP, "what port %u answered is not HTTP: %s", port, err.message);
  return len;
}

static size_t on_stream_data(void *arg, const uint8_t *data, size_t len) {
  Exchange *e = arg;
  size_t used = len;
  exchange_enter(e);
  exchange_note(e);
  if (e->stage == STAGE_OPENING)
    used = exchange_open_data(e, data, len);
  else if (e->stage == STAGE_HTTP)
    used = take_http(e, data, len);
  else if (e->stage == STAGE_TUNNEL)
    e->handlers.on_body(e->arg, data, len);
  exchange_leave(e);
  return used;
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

/* The connection ended before the answer did. errnum 0: in order. */
static void break_off(Exchange *e, int errnum) {
  unsigned port = e->target.port;
  const char *how = errnum ? strerror(errnum) : "it was closed";
  if (e->headed) {
    exchange_fail(e, FAILURE_CUT, "the connection of port %u ended in the midst of the answer: %s", port, how);
    return;
  }
  exchange_note_failure(e, FAILURE_NO_ANSWER, "the connection of port %u ended %s: %s", port,
                        e->read ? "in the midst of the answer's head" : "before there was an answer", how);
  exchange_drop(e);
  e->stage = STAGE_AUTOPSY;
  e->lookup = sandbox_lookup(e->router->state, e->router->loop, e->target.ns, e->target.id, on_autopsy, e);
}

static void ended(Exchange *e, int errnum) {
  Error err;
  exchange_enter(e);
  if (e->stage == STAGE_OPENING) {
    exchange_open_ended(e, errnum);
  } else if (e->stage == STAGE_TUNNEL) {
    if (!errnum)
      e->handlers.on_end(e->arg);
    else
      exchange_fail(e, FAILURE_CUT, "the tunnel broke: %s", strerror(errnum));
  } else if (e->stage == STAGE_HTTP) {
    /* an answer without a length ends here, and then on_end has run */
    bool over = !errnum && http_reader_eof(e->reader, &err) == 0 && e->stage == STAGE_OVER;
    if (!over)
      break_off(e, errnum);
  }
  exchange_leave(e);
}

static void on_stream_eof(void *arg) {
  ended(arg, 0);
}

static void on_stream_error(void *arg, int errnum) {
  ended(arg, errnum ? errnum : ECONNRESET);
}

static void on_stream_drain(void *arg) {
  Exchange *e = arg;
  exchange_note(e);
  e->handlers.on_drain(e->arg);
}

const StreamHandlers EXCHANGE_STREAM_HANDLERS = {
    .on_data = on_stream_data, .on_eof = on_stream_eof, .on_drain = on_stream_drain, .on_error = on_stream_error};

Exchange *exchange_new(Router *router, const Target *target, const Buf *head, bool upgrade, bool is_head_request,
                       const ExchangeHandlers *handlers, void *arg) {
  Exchange *e = new0(Exchange);
  *e = (Exchange){.router = router,
                  .target = *target,
                  .upgrade = upgrade,
                  .is_head_request = is_head_request,
                  .handlers = *handlers,
                  .arg = arg,
                  .early = BUF_INIT(EARLY_MAX)};
  e->timer = loop_timer_new(router->loop, on_timer, e);
  exchange_write(e, head->data, head->len);
  exchange_open(e);
  return e;
}

/* ---- Under way ---- */

static int64_t idle_limit(const Exchange *e) {
  return e->stage == STAGE_TUNNEL ? e->router->config->upgrade_idle_timeout_ms : e->target.timeout_ms;
}

static void on_timer(void *arg) {
  Exchange *e = arg;
  bool moving = e->stage == STAGE_HTTP || e->stage == STAGE_TUNNEL;
  int64_t left = moving ? e->last_ms + idle_limit(e) - clock_mono_ms() : 0;
  exchange_enter(e);
  if (left > 0)
    loop_timer_start(e->timer, left);
  else if (moving)
    exchange_fail(e, FAILURE_TIMEOUT, "nothing came for %g s", (double)idle_limit(e) / 1000);
  else if (e->stage == STAGE_AUTOPSY)
    exchange_fail_as_noted(e);
  else
    exchange_open_time(e);
  exchange_leave(e);
}

static const HttpReaderHandlers READER_HANDLERS = {
    .on_head = on_head, .on_body = on_body, .on_trailer = on_trailer, .on_end = on_end};

void exchange_accepted(Exchange *e) {
  e->stage = STAGE_HTTP;
  e->reader = http_reader_new(HTTP_RESPONSES, &READER_HANDLERS, e);
  if (e->is_head_request)
    http_reader_expect_no_body(e->reader);
  stream_write(e->stream, e->early.data, e->early.len);
  buf_deinit(&e->early);
  loop_timer_start(e->timer, idle_limit(e));
  e->handlers.on_ready(e->arg);
}

static bool on_head(void *arg, const HttpHead *head) {
  Exchange *e = arg;
  e->interim = head->status < 200;
  if (head->status == 101) {
    e->refused = !e->upgrade;
    if (e->refused)
      return false;
    e->stage = STAGE_TUNNEL;
    e->handlers.on_switch(e->arg, head);
    loop_timer_start(e->timer, idle_limit(e));
    return false;
  }
  if (!e->interim) {
    e->headed = true;
    e->handlers.on_head(e->arg, head);
  }
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
  if (e->interim)
    return;
  e->stage = STAGE_OVER;
  loop_timer_stop(e->timer);
  e->handlers.on_end(e->arg);
}

void exchange_write(Exchange *e, const void *data, size_t len) {
  exchange_note(e);
  if (e->stream && e->stage != STAGE_OPENING) {
    stream_write(e->stream, data, len);
    return;
  }
  /* fits: the client is paused until ACCEPT, and one read is smaller than the room for it */
  bool waits = e->stage != STAGE_OVER && e->stage != STAGE_AUTOPSY;
  if (waits && buf_append(&e->early, data, len) != 0)
    abort();
}

size_t exchange_pending(const Exchange *e) {
  return e->stream ? stream_pending(e->stream) : 0;
}

void exchange_end(Exchange *e) {
  if (e->stream)
    stream_end(e->stream);
}

void exchange_pause(Exchange *e) {
  if (e->stream)
    stream_pause(e->stream);
}

void exchange_resume(Exchange *e) {
  if (e->stream)
    stream_resume(e->stream);
}

void exchange_note(Exchange *e) {
  e->last_ms = clock_mono_ms();
  if (e->stage == STAGE_TUNNEL)
    activity_note(e->activity, clock_wall_ms());
}
