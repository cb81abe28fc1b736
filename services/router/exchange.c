/* See exchange.h. */
#include "services/router/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/wire/wire_connect.h"
#include "services/router/dial.h"
#include "services/router/runtime_open.h"
#include "services/router/sandbox_store.h"
#include "services/router/stream.h"

/* Part of the timeout that connecting may take, as in the Agent Sandbox router. */
#define OPEN_TIMEOUT_MS 5000
/* Waits between attempts, doubling: the values of the Agent Sandbox router. */
#define RETRY_FIRST_MS 200
#define RETRY_MAX_MS 800
/* Kept of what the sandbox sent and the client did not take yet, beside the client's own buffer. */
#define IN_MAX (64 << 10)
/* A head, and the part of a body that came with it. */
#define EARLY_MAX (2 * HTTP_MAX_HEAD_BYTES + STREAM_HIGH)

typedef enum Stage { STAGE_LOOKUP, STAGE_WAIT, STAGE_OPENING, STAGE_HTTP, STAGE_TUNNEL, STAGE_OVER } Stage;

struct Exchange {
  Router *router;
  Target target;
  bool upgrade, is_head_request;
  ExchangeHandlers handlers;
  void *arg;
  Stage stage;
  int64_t attempts;
  SandboxLookup *lookup;
  Dial *dial;
  Stream *stream;
  HttpReader *reader;
  Activity *activity;
  LoopTimer *timer;
  Buf early;       /* what waits for ACCEPT */
  int64_t last_ms; /* of the last byte either way */
  bool found;
  bool interim; /* the head that is being read is a 1xx */
  bool refused; /* a 101 nobody asked for */
  int depth;
  bool dead;
};

static void on_timer(void *arg);
static void start_lookup(Exchange *e);

static void release(Exchange *e) {
  http_reader_free(e->reader);
  free(e);
}

static void enter(Exchange *e) {
  e->depth++;
}

static void leave(Exchange *e) {
  if (--e->depth == 0 && e->dead)
    release(e);
}

static void drop_connection(Exchange *e) {
  sandbox_lookup_cancel(e->lookup);
  e->lookup = NULL;
  dial_free(e->dial);
  e->dial = NULL;
  stream_free(e->stream);
  e->stream = NULL;
}

void exchange_free(Exchange *e) {
  if (!e)
    return;
  drop_connection(e);
  activity_stop(e->activity, clock_wall_ms());
  loop_timer_free(e->timer);
  buf_deinit(&e->early);
  e->dead = true;
  e->stage = STAGE_OVER;
  if (e->depth == 0)
    release(e);
}

bool exchange_is_found(const Exchange *e) {
  return e->found;
}

static const char *ns_label(const Exchange *e) {
  return e->found ? e->target.ns : "-";
}

static void fail(Exchange *e, ExchangeFailure failure) {
  static const char *const REASONS[] = {"dial", "timeout", "eof", "other", "other"};
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_ERRORS, 1, ns_label(e), REASONS[failure], NULL);
  drop_connection(e);
  loop_timer_stop(e->timer);
  e->stage = STAGE_OVER;
  e->handlers.on_fail(e->arg, failure);
}

/* ---- Getting there ---- */

static void retry(Exchange *e) {
  drop_connection(e);
  if (e->attempts > e->router->config->upstream_max_retries) {
    fail(e, EXCHANGE_UNREACHABLE);
    return;
  }
  metrics_add(e->router->service->metrics, ROUTER_UPSTREAM_RETRIES, 1, ns_label(e), NULL, NULL);
  int64_t delay = RETRY_FIRST_MS;
  for (int64_t i = 1; i < e->attempts && delay < RETRY_MAX_MS; i++)
    delay *= 2;
  e->stage = STAGE_WAIT;
  loop_timer_start(e->timer, delay < RETRY_MAX_MS ? delay : RETRY_MAX_MS);
}

static void on_accept(Exchange *e);
static bool on_head(void *arg, const HttpHead *head);
static void on_body(void *arg, const uint8_t *data, size_t len);
static void on_trailer(void *arg, const HttpHeader *field);
static void on_end(void *arg);

static size_t take_frame(Exchange *e, const uint8_t *data, size_t len) {
  WireFrame frame;
  Error err;
  size_t used = 0;
  int rc = wire_parse(data, len, &frame, &used, &err);
  if (rc == WIRE_MORE)
    return 0;
  if (rc == 0 && frame.type == WIRE_ACCEPT) {
    on_accept(e);
    return used;
  }
  if (rc == 0 && frame.type == WIRE_STATUS) {
    runtime_status(&frame, &err);
    /* the port refused: a server may be on its way up */
    if (err.kind == ERROR_UNAVAILABLE)
      retry(e);
    else
      fail(e, err.kind == ERROR_DEADLINE_EXCEEDED ? EXCHANGE_TIMEOUT : EXCHANGE_UNREACHABLE);
    return len;
  }
  fail(e, EXCHANGE_MALFORMED);
  return len;
}

static size_t take_http(Exchange *e, const uint8_t *data, size_t len) {
  size_t used;
  Error err;
  if (http_reader_feed(e->reader, data, len, &used, &err) == 0 && !e->refused)
    return used;
  if (!e->dead && e->stage != STAGE_OVER)
    fail(e, EXCHANGE_MALFORMED);
  return len;
}

static size_t on_stream_data(void *arg, const uint8_t *data, size_t len) {
  Exchange *e = arg;
  size_t used = len;
  enter(e);
  exchange_note(e);
  if (e->stage == STAGE_OPENING)
    used = take_frame(e, data, len);
  else if (e->stage == STAGE_HTTP)
    used = take_http(e, data, len);
  else if (e->stage == STAGE_TUNNEL)
    e->handlers.on_body(e->arg, data, len);
  leave(e);
  return used;
}

static void ended(Exchange *e, bool clean) {
  Error err;
  enter(e);
  if (e->stage == STAGE_OPENING) {
    retry(e);
  } else if (e->stage == STAGE_TUNNEL) {
    if (clean)
      e->handlers.on_end(e->arg);
    else
      fail(e, EXCHANGE_BROKEN);
  } else if (e->stage == STAGE_HTTP) {
    /* an answer without a length ends here, and then on_end has run */
    bool over = clean && http_reader_eof(e->reader, &err) == 0 && e->stage == STAGE_OVER;
    if (!over)
      fail(e, EXCHANGE_BROKEN);
  }
  leave(e);
}

static void on_stream_eof(void *arg) {
  ended(arg, true);
}

static void on_stream_error(void *arg, int errnum) {
  ended(arg, false);
}

static void on_stream_drain(void *arg) {
  Exchange *e = arg;
  exchange_note(e);
  e->handlers.on_drain(e->arg);
}

static const StreamHandlers STREAM_HANDLERS = {
    .on_data = on_stream_data, .on_eof = on_stream_eof, .on_drain = on_stream_drain, .on_error = on_stream_error};

/* A port of a Pod is there: no runtime stands before it. */
static void on_dialled(void *arg, int fd) {
  Exchange *e = arg;
  e->dial = NULL;
  enter(e);
  if (fd < 0) {
    retry(e);
  } else {
    e->stream = stream_new(e->router->loop, fd, IN_MAX, &STREAM_HANDLERS, e);
    on_accept(e);
  }
  leave(e);
}

static void on_record(void *arg, const SandboxRecord *record, const Error *err) {
  Exchange *e = arg;
  Error why;
  CLEANUP(buf_deinit) Buf open = {0};
  e->lookup = NULL;
  enter(e);
  if (err) {
    bool known = err->kind == ERROR_NOT_FOUND || err->kind == ERROR_FAILED_PRECONDITION;
    fail(e, known ? EXCHANGE_UNREACHABLE : EXCHANGE_NO_STATE);
    leave(e);
    return;
  }
  e->found = true;
  if (dial_is_pod(record->route)) {
    if (!e->activity)
      e->activity = activity_start(e->router->state, e->router->loop, record, !e->upgrade, clock_wall_ms());
    e->stage = STAGE_OPENING;
    e->dial = dial_new(e->router->loop, record->route, e->target.port, e->router->config->allow_loopback_pod_ip,
                       on_dialled, e);
    leave(e);
    return;
  }
  int fd = wire_connect(record->route, &why);
  if (fd < 0 || runtime_open(&open, "Connect", record, e->target.port, OPEN_TIMEOUT_MS, NULL) != 0) {
    retry(e);
    leave(e);
    return;
  }
  if (!e->activity)
    e->activity = activity_start(e->router->state, e->router->loop, record, !e->upgrade, clock_wall_ms());
  e->stage = STAGE_OPENING;
  e->stream = stream_new(e->router->loop, fd, IN_MAX, &STREAM_HANDLERS, e);
  stream_write(e->stream, open.data, open.len);
  leave(e);
}

static void start_lookup(Exchange *e) {
  e->stage = STAGE_LOOKUP;
  e->attempts++;
  e->lookup = sandbox_lookup(e->router->state, e->router->loop, e->target.ns, e->target.id, on_record, e);
  loop_timer_start(e->timer, e->target.timeout_ms < OPEN_TIMEOUT_MS ? e->target.timeout_ms : OPEN_TIMEOUT_MS);
}

Exchange *exchange_new(Router *router, const Target *target, const Buf *head, bool upgrade, bool is_head_request,
                       const ExchangeHandlers *handlers, void *arg) {
  Exchange *e = calloc(1, sizeof *e);
  if (!e)
    abort();
  *e = (Exchange){.router = router,
                  .target = *target,
                  .upgrade = upgrade,
                  .is_head_request = is_head_request,
                  .handlers = *handlers,
                  .arg = arg,
                  .early = BUF_INIT(EARLY_MAX)};
  e->timer = loop_timer_new(router->loop, on_timer, e);
  exchange_write(e, head->data, head->len);
  start_lookup(e);
  return e;
}

/* ---- Under way ---- */

static int64_t idle_limit(const Exchange *e) {
  return e->stage == STAGE_TUNNEL ? e->router->config->upgrade_idle_timeout_ms : e->target.timeout_ms;
}

static void on_timer(void *arg) {
  Exchange *e = arg;
  if (e->stage == STAGE_WAIT) {
    start_lookup(e);
    return;
  }
  bool moving = e->stage == STAGE_HTTP || e->stage == STAGE_TUNNEL;
  int64_t left = moving ? e->last_ms + idle_limit(e) - clock_mono_ms() : 0;
  enter(e);
  if (left > 0)
    loop_timer_start(e->timer, left);
  else
    fail(e, EXCHANGE_TIMEOUT);
  leave(e);
}

static const HttpReaderHandlers READER_HANDLERS = {
    .on_head = on_head, .on_body = on_body, .on_trailer = on_trailer, .on_end = on_end};

static void on_accept(Exchange *e) {
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
  if (!e->interim)
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
  if (e->stage != STAGE_OVER && buf_append(&e->early, data, len) != 0)
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
