/* See exchange_state.h. */
#include "services/router/http/exchange_state.h"

#include <stdio.h>
#include <stdlib.h>

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
  upstream_pool_waited(&e->wait, false);
  stream_free(e->stream);
  e->stream = NULL;
}

void exchange_attach(Exchange *e, int fd) {
  e->stream = stream_new(e->router->loop, fd, EXCHANGE_IN_MAX, e->stream_handlers, e);
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

int64_t exchange_idle_limit(const Exchange *e) {
  return e->stage == STAGE_TUNNEL ? e->router->config->upgrade_idle_timeout_ms : e->target.timeout_ms;
}

void exchange_watch(Exchange *e) {
  loop_timer_start(e->timer, exchange_idle_limit(e));
}
