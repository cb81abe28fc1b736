/* See exchange_open.h. */
#include "services/router/http/exchange_open.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/wire/wire_connect.h"
#include "services/router/grpc/runtime_open.h"
#include "services/router/http/exchange_answer.h"

/* Part of the timeout that connecting may take, as in the Agent Sandbox router. */
#define OPEN_TIMEOUT_MS 5000
/* Waits between attempts, doubling: the values of the Agent Sandbox router. */
#define RETRY_FIRST_MS 200
#define RETRY_MAX_MS 800
/* For a Pod's runtime to take a call: far above what ours needs; what is none may never say so. */
#define INSIDE_MS 1500

/* Another attempt, or the failure when there is none left. */
static void retry(Exchange *e, Failure failure, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void retry(Exchange *e, Failure failure, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  exchange_note_args(e, failure, fmt, ap);
  va_end(ap);
  exchange_drop(e);
  if (e->attempts > e->router->config->upstream_max_retries) {
    exchange_fail_as_noted(e);
    return;
  }
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_RETRIES, 1, exchange_ns_label(e), NULL, NULL);
  int64_t delay = RETRY_FIRST_MS;
  for (int64_t i = 1; i < e->attempts && delay < RETRY_MAX_MS; i++)
    delay *= 2;
  e->stage = STAGE_WAIT;
  loop_timer_start(e->timer, delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
}

static void note_activity(Exchange *e, const SandboxRecord *record) {
  if (!e->activity)
    e->activity = activity_start(e->router->state, e->router->loop, record, !e->upgrade, clock_wall_ms());
}

/* A new connection to the port. */
static void opened(Exchange *e) {
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_OPENED, 1, NULL, NULL, NULL);
  exchange_accepted(e);
}

/* The runtime does not connect: a server may be on its way up. */
static void on_refusal(Exchange *e, const Error *err) {
  if (err->kind == ERROR_UNAVAILABLE && strstr(err->message, strerror(ECONNREFUSED)))
    retry(e, FAILURE_PORT_CLOSED, "nothing listens on port %u", (unsigned)e->target.port);
  else if (err->kind == ERROR_UNAVAILABLE)
    retry(e, FAILURE_UNREACHABLE, "%s", err->message);
  else if (err->kind == ERROR_DEADLINE_EXCEEDED)
    exchange_fail(e, FAILURE_CONNECT_TIMEOUT, "port %u did not take a connection", (unsigned)e->target.port);
  else
    exchange_fail(e, FAILURE_REFUSED, "%s", err->message);
}

/* Loopback is the Pod's own, and what could connect there is not in it. */
static void closed_outside(Exchange *e) {
  retry(
      e, FAILURE_PORT_CLOSED,
      "nothing listens on port %u of its Pod's address; a program on 127.0.0.1 or ::1 alone is reached only where the "
      "image has Sandplane's runtime",
      (unsigned)e->target.port);
}

/* What has port 8888 is no runtime that connects. */
static void no_inside(Exchange *e) {
  e->has_no_inside = true;
  closed_outside(e);
}

/* An older runtime, or one of another name, is as good as none. */
static void on_inside_refusal(Exchange *e, const Error *err) {
  if (err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_PERMISSION_DENIED)
    on_refusal(e, err);
  else
    no_inside(e);
}

size_t exchange_open_data(Exchange *e, const uint8_t *data, size_t len) {
  WireFrame frame;
  Error err;
  size_t used = 0;
  int rc = wire_parse(data, len, &frame, &used, &err);
  if (rc == WIRE_MORE)
    return 0;
  if (rc == 0 && frame.type == WIRE_ACCEPT) {
    opened(e);
    return used;
  }
  if (rc == 0 && frame.type == WIRE_STATUS) {
    runtime_status(&frame, &err);
    if (e->asks_inside)
      on_inside_refusal(e, &err);
    else
      on_refusal(e, &err);
    return len;
  }
  if (e->asks_inside) {
    no_inside(e);
    return len;
  }
  exchange_fail(e, FAILURE_UNREACHABLE, "its runtime does not speak as it should");
  return len;
}

static void on_dialled_inside(void *arg, int fd) {
  Exchange *e = arg;
  e->dial = NULL;
  exchange_enter(e);
  if (fd < 0) {
    closed_outside(e);
  } else {
    exchange_attach(e, fd);
    stream_write(e->stream, e->inside.data, e->inside.len);
  }
  exchange_leave(e);
}

/* Development servers listen on ::1 or 127.0.0.1 alone, where the Pod's address does not lead. */
static void dial_inside(Exchange *e) {
  e->asks_inside = true;
  e->dial = dial_new(e->router->loop, e->route, TARGET_RUNTIME_PORT, e->router->config->allow_loopback_pod_ip,
                     on_dialled_inside, e);
  if (e->target.timeout_ms > INSIDE_MS)
    loop_timer_start(e->timer, INSIDE_MS);
}

/* A port of a Pod is there: no runtime stands before it. */
static void on_dialled(void *arg, int fd) {
  Exchange *e = arg;
  int why = fd < 0 ? errno : 0;
  e->dial = NULL;
  exchange_enter(e);
  if (fd >= 0) {
    exchange_attach(e, fd);
    opened(e);
  } else if (why == ECONNREFUSED && e->inside.len > 0 && !e->has_no_inside) {
    dial_inside(e);
  } else if (why == ECONNREFUSED) {
    closed_outside(e);
  } else {
    retry(e, FAILURE_UNREACHABLE, "its Pod's address does not take connections: %s", strerror(why));
  }
  exchange_leave(e);
}

static void dial_pod(Exchange *e) {
  e->dial =
      dial_new(e->router->loop, e->route, e->target.port, e->router->config->allow_loopback_pod_ip, on_dialled, e);
}

/* Images without our runtime have nowhere to put the claim's values, and their ports are reached all the same. Where
 * the request is for the runtime itself, one that is just starting must not serve it unbound. */
static void on_bound(void *arg, const Error *err) {
  Exchange *e = arg;
  e->bind = NULL;
  exchange_enter(e);
  bool for_runtime = e->target.port == TARGET_RUNTIME_PORT;
  if (err && err->kind == ERROR_PERMISSION_DENIED)
    exchange_fail(e, FAILURE_REFUSED, "%s", err->message);
  else if (err && for_runtime && err->kind == ERROR_UNAVAILABLE)
    retry(e, FAILURE_UNREACHABLE, "%s", err->message);
  else
    dial_pod(e);
  exchange_leave(e);
}

static void open_pod(Exchange *e, const SandboxRecord *record) {
  note_activity(e, record);
  e->stage = STAGE_OPENING;
  buf_consume(&e->inside, e->inside.len);
  if (e->target.port != TARGET_RUNTIME_PORT && runtime_open_bare(&e->inside, "Connect", record, e->target.port) != 0)
    abort(); /* a method, a name and a uid */
  if (*record->uid && record->n_env > 0)
    e->bind = pod_bind_new(e->router, record, true, on_bound, e);
  else
    dial_pod(e);
}

/* Why there is no sandbox to go to. */
static void on_no_record(Exchange *e, const Error *err) {
  if (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_FAILED_PRECONDITION)
    upstream_pool_forget(e->router->upstreams, e->target.ns, e->target.id);
  if (err->kind == ERROR_NOT_FOUND)
    exchange_fail(e, FAILURE_NO_SANDBOX, "there is no sandbox of this name in namespace %s", e->target.ns);
  else if (err->kind != ERROR_FAILED_PRECONDITION)
    exchange_fail(e, FAILURE_NO_STATE, "%s", err->message);
  else
    exchange_fail(e, sandbox_is_unclaimed(err) ? FAILURE_NOT_CLAIMED : FAILURE_ENDED, "%s", err->message);
}

/* By the sandbox's runtime, on this machine. */
static void open_local(Exchange *e, const SandboxRecord *record) {
  Error why;
  CLEANUP(buf_deinit) Buf open = {0};
  int fd = wire_connect(record->route, &why);
  if (fd < 0 || runtime_open(&open, "Connect", record, e->target.port, OPEN_TIMEOUT_MS, NULL) != 0) {
    if (fd >= 0)
      close(fd);
    retry(e, FAILURE_UNREACHABLE, "its runtime does not answer");
    return;
  }
  note_activity(e, record);
  e->stage = STAGE_OPENING;
  exchange_attach(e, fd);
  stream_write(e->stream, open.data, open.len);
}

/* By a connection that an earlier request to this port of this claim has left; whether there is one. */
static bool open_kept(Exchange *e, const SandboxRecord *record) {
  ConnKey key = exchange_key(e);
  e->stream = upstream_pool_take(e->router->upstreams, &key, e->reusable && !e->anew);
  if (!e->stream)
    return false;
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_REUSED, 1, NULL, NULL, NULL);
  stream_hand_over(e->stream, EXCHANGE_IN_MAX, e->stream_handlers, e);
  note_activity(e, record);
  e->kept = true;
  exchange_accepted(e);
  return true;
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  Exchange *e = arg;
  e->lookup = NULL;
  exchange_enter(e);
  if (err) {
    on_no_record(e, err);
    exchange_leave(e);
    return;
  }
  e->found = true;
  free(e->uid);
  free(e->route);
  e->uid = str_dup(record->uid);
  e->route = str_dup(record->route);
  if (open_kept(e, record))
    ;
  else if (dial_is_pod(record->route))
    open_pod(e, record);
  else
    open_local(e, record);
  exchange_leave(e);
}

void exchange_open(Exchange *e) {
  e->stage = STAGE_LOOKUP;
  e->asks_inside = false;
  e->attempts++;
  e->lookup = sandbox_lookup(e->router->state, e->router->loop, e->target.ns, e->target.id, on_record, e);
  loop_timer_start(e->timer, e->target.timeout_ms < OPEN_TIMEOUT_MS ? e->target.timeout_ms : OPEN_TIMEOUT_MS);
}

void exchange_open_ended(Exchange *e, int errnum) {
  if (e->asks_inside)
    no_inside(e);
  else
    retry(e, FAILURE_UNREACHABLE, "its runtime ended the connection%s%s", errnum ? ": " : "",
          errnum ? strerror(errnum) : "");
}

void exchange_open_time(Exchange *e) {
  if (e->stage == STAGE_WAIT) {
    exchange_open(e);
  } else if (e->asks_inside && e->target.timeout_ms > INSIDE_MS) {
    no_inside(e);
  } else if (e->target.timeout_ms < OPEN_TIMEOUT_MS) {
    exchange_fail(e, FAILURE_TIMEOUT, "nothing came for %g s", (double)e->target.timeout_ms / 1000);
  } else if (e->stage == STAGE_LOOKUP) {
    exchange_fail(e, FAILURE_NO_STATE, "nothing came for %d s", OPEN_TIMEOUT_MS / 1000);
  } else {
    exchange_fail(e, FAILURE_CONNECT_TIMEOUT, "port %u did not take a connection within %d s", (unsigned)e->target.port,
                  OPEN_TIMEOUT_MS / 1000);
  }
}
