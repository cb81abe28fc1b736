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
#include "services/router/http/reuse.h"

/* A head, and the part of a body that came with it. */
#define EARLY_MAX (2 * HTTP_MAX_HEAD_BYTES + STREAM_HIGH)

static void on_timer(void *arg);

/* A new connection whose answer does not begin may wait for the idle ones to end: first after so long, and then after
 * twice as long each time, up to the second. */
#define YIELD_FIRST_MS 100
#define YIELD_MAX_MS 1000

static void release(Exchange *e) {
  http_reader_free(e->reader);
  free(e->uid);
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
  e->router->n_exchanges--;
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

ConnKey exchange_key(const Exchange *e) {
  return (ConnKey){.ns = e->target.ns, .id = e->target.id, .uid = e->uid, .route = e->route, .port = e->target.port};
}

static size_t on_stream_data(void *arg, const uint8_t *data, size_t len) {
  Exchange *e = arg;
  size_t used = len;
  exchange_enter(e);
  exchange_note(e);
  if (e->stage == STAGE_OPENING)
    used = exchange_open_data(e, data, len);
  else if (e->stage == STAGE_HTTP)
    used = exchange_answer_data(e, data, len);
  else if (e->stage == STAGE_TUNNEL)
    e->handlers.on_body(e->arg, data, len);
  exchange_leave(e);
  return used;
}

static void ended(Exchange *e, int errnum) {
  exchange_enter(e);
  if (e->stage == STAGE_OPENING) {
    exchange_open_ended(e, errnum);
  } else if (e->stage == STAGE_TUNNEL) {
    if (!errnum)
      e->handlers.on_end(e->arg);
    else
      exchange_fail(e, FAILURE_CUT, "the tunnel broke: %s", strerror(errnum));
  } else if (e->stage == STAGE_HTTP) {
    exchange_answer_ended(e, errnum);
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

/* Also where less than STREAM_HIGH had waited, which on_drain does not tell of. */
static void on_stream_flushed(void *arg) {
  Exchange *e = arg;
  if (e->stage == STAGE_HTTP || e->stage == STAGE_TUNNEL)
    on_stream_drain(e);
}

const StreamHandlers EXCHANGE_STREAM_HANDLERS = {.on_data = on_stream_data,
                                                 .on_eof = on_stream_eof,
                                                 .on_drain = on_stream_drain,
                                                 .on_error = on_stream_error,
                                                 .on_flushed = on_stream_flushed};

bool exchange_may_reuse(const Router *router, const HttpHead *head) {
  const RouterConfig *config = router->config;
  return config->upstream_max_idle > 0 && config->upstream_max_idle_per_port > 0 && reuse_suits_request(head);
}

bool exchange_has_room(const Router *router) {
  return router->n_exchanges < router->config->max_requests;
}

Exchange *exchange_new(Router *router, const Target *target, const ExchangeRequest *request,
                       const ExchangeHandlers *handlers, void *arg) {
  Exchange *e = new0(Exchange);
  *e = (Exchange){.router = router,
                  .target = *target,
                  .upgrade = request->upgrade,
                  .is_head_request = request->is_head,
                  .reusable = request->reusable,
                  .handlers = *handlers,
                  .arg = arg,
                  .early = BUF_INIT(EARLY_MAX)};
  router->n_exchanges++;
  e->timer = loop_timer_new(router->loop, on_timer, e);
  exchange_write(e, request->head->data, request->head->len);
  exchange_open(e);
  return e;
}

/* ---- Under way ---- */

static int64_t idle_limit(const Exchange *e) {
  return e->stage == STAGE_TUNNEL ? e->router->config->upgrade_idle_timeout_ms : e->target.timeout_ms;
}

/* Until the timer has something to do, at most left. */
static int64_t next_look(const Exchange *e, int64_t left) {
  bool unanswered = e->stage == STAGE_HTTP && !e->kept && !e->read;
  return unanswered && e->yield_ms < left ? e->yield_ms : left;
}

static void yield(Exchange *e) {
  if (e->stage != STAGE_HTTP || e->kept || e->read)
    return;
  ConnKey key = exchange_key(e);
  upstream_pool_yield(e->router->upstreams, &key);
  e->yield_ms = e->yield_ms * 2 < YIELD_MAX_MS ? e->yield_ms * 2 : YIELD_MAX_MS;
}

void exchange_watch(Exchange *e) {
  e->yield_ms = YIELD_FIRST_MS;
  loop_timer_start(e->timer, next_look(e, idle_limit(e)));
}

static void on_timer(void *arg) {
  Exchange *e = arg;
  bool moving = e->stage == STAGE_HTTP || e->stage == STAGE_TUNNEL;
  int64_t left = moving ? e->last_ms + idle_limit(e) - clock_mono_ms() : 0;
  exchange_enter(e);
  yield(e);
  if (left > 0)
    loop_timer_start(e->timer, next_look(e, left));
  else if (moving)
    exchange_fail(e, FAILURE_TIMEOUT, "nothing came for %g s", (double)idle_limit(e) / 1000);
  else if (e->stage == STAGE_AUTOPSY)
    exchange_fail_as_noted(e);
  else
    exchange_open_time(e);
  exchange_leave(e);
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
  if (!e->stream)
    return;
  /* what stands behind the answer may still be on its way when the answer ends */
  e->reusable = false;
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
