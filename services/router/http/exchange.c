/* See exchange.h. */
#include "services/router/http/exchange.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "services/router/http/exchange_answer.h"
#include "services/router/http/exchange_open.h"
#include "services/router/http/reuse.h"

/* A head, and the part of a body that came with it. */
#define EARLY_MAX (2 * HTTP_MAX_HEAD_BYTES + STREAM_HIGH)

static void on_timer(void *arg);

void exchange_free(Exchange *e) {
  if (!e)
    return;
  exchange_enter(e);
  atomic_fetch_sub(&e->router->all->n_exchanges, 1);
  exchange_drop(e);
  activity_stop(e->activity, clock_wall_ms());
  loop_timer_free(e->timer);
  buf_deinit(&e->early);
  buf_deinit(&e->inside);
  e->dead = true;
  e->stage = STAGE_OVER;
  exchange_leave(e);
}

bool exchange_is_found(const Exchange *e) {
  return e->found;
}

static size_t on_stream_data(void *arg, const uint8_t *data, size_t len) {
  Exchange *e = arg;
  size_t used = len;
  exchange_enter(e);
  if (e->stage != STAGE_HTTP)
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
    if (exchange_answer_ended(e, errnum) == ANSWER_BEGINS_ANEW)
      exchange_open(e);
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

static const StreamHandlers STREAM_HANDLERS = {.on_data = on_stream_data,
                                               .on_eof = on_stream_eof,
                                               .on_drain = on_stream_drain,
                                               .on_error = on_stream_error,
                                               .on_flushed = on_stream_flushed};

bool exchange_may_reuse(const Router *router, const HttpHead *head) {
  const RouterConfig *config = router->config;
  return config->upstream_max_idle > 0 && config->upstream_max_idle_per_port > 0 && reuse_suits_request(head);
}

bool exchange_has_room(const Router *router) {
  return atomic_load(&router->all->n_exchanges) < router->config->max_requests;
}

Exchange *exchange_new(Router *router, const Target *target, const ExchangeRequest *request,
                       const ExchangeHandlers *handlers, void *arg) {
  Exchange *e = new0(Exchange);
  *e = (Exchange){.router = router,
                  .target = *target,
                  .upgrade = request->upgrade,
                  .is_head_request = request->is_head,
                  .reusable = request->reusable,
                  .raw = request->raw,
                  .handlers = *handlers,
                  .stream_handlers = &STREAM_HANDLERS,
                  .arg = arg,
                  .early = BUF_INIT(EARLY_MAX)};
  atomic_fetch_add(&router->all->n_exchanges, 1);
  e->timer = loop_timer_new(router->loop, on_timer, e);
  if (!request->raw)
    exchange_write(e, request->head->data, request->head->len);
  exchange_open(e);
  return e;
}

/* ---- Under way ---- */

static void on_timer(void *arg) {
  Exchange *e = arg;
  bool moving = e->stage == STAGE_HTTP || e->stage == STAGE_TUNNEL;
  int64_t left = moving ? e->last_ms + exchange_idle_limit(e) - clock_mono_ms() : 0;
  exchange_enter(e);
  if (left > 0)
    loop_timer_start(e->timer, left);
  else if (moving)
    exchange_fail(e, FAILURE_TIMEOUT, "nothing came for %g s", (double)exchange_idle_limit(e) / 1000);
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
