/* See trace_export.h. */
#include "lib/trace/trace_export.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/trace/otlp.pb-c.h"
#include "lib/trace/trace_span.h"

#define EXPORT_PATH "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

enum {
  QUEUE_MAX = 2048,
  BATCH_MAX = 512,
  DELAY_MS = 1000, /* a span waits at most this long for others */
  TIMEOUT_MS = 10000,
  TRIES = 4,
  PAUSE_MS = 1000,      /* before the second; then twice as long each */
  PAUSE_MAX_MS = 30000, /* whatever the collector asks for */
};

enum { METRIC_EXPORTED, METRIC_DROPPED };

static const MetricDesc METRICS[] = {
    [METRIC_EXPORTED] =
        {"sandplane_trace_spans_exported_total", METRIC_COUNTER, "spans that the collector took", {NULL}, NULL, 0},
    [METRIC_DROPPED] = {"sandplane_trace_spans_dropped_total",
                        METRIC_COUNTER,
                        "spans dropped: the queue was full, the collector unreachable, or it refused them",
                        {"reason"},
                        NULL,
                        0},
};

struct TraceExport {
  Loop *loop;
  RpcChannel *channel;
  Metrics *metrics;
  size_t first_metric;
  Sandplane__Otlp__KeyValue **resource;
  size_t n_resource;
  Arena *strings; /* of the resource */
  char *version;
  TraceSpan *head, **tail;
  size_t n;
  atomic_size_t n_held; /* n, and what is posted */
  LoopTimer *delay, *pause, *flush_end;
  uint8_t *batch; /* under way, or waiting for its next try */
  size_t batch_len, batch_n;
  int tries;
  bool calling, flushing;
  void (*flushed)(void *arg);
  void *flush_arg;
};

size_t trace_metrics(Metrics *metrics) {
  size_t first = metrics_append(metrics, METRICS, ARRAY_LEN(METRICS));
  static const char *const REASONS[] = {"queue_full", "unreachable", "refused"};
  for (size_t i = 0; i < ARRAY_LEN(REASONS); i++)
    metrics_add(metrics, first + METRIC_DROPPED, 0, REASONS[i], NULL, NULL);
  return first;
}

static void count(TraceExport *e, size_t metric, size_t n, const char *reason) {
  if (n > 0)
    metrics_add(e->metrics, e->first_metric + metric, (double)n, reason, NULL, NULL);
}

/* ---- as a message ---- */

static Sandplane__Otlp__KeyValue *pair(Arena *arena, const char *key, const char *text, int64_t number) {
  Sandplane__Otlp__KeyValue *kv = arena_alloc(arena, sizeof *kv);
  Sandplane__Otlp__AnyValue *value = arena_alloc(arena, sizeof *value);
  sandplane__otlp__key_value__init(kv);
  sandplane__otlp__any_value__init(value);
  kv->key = (char *)key;
  kv->value = value;
  if (text) {
    value->value_case = SANDPLANE__OTLP__ANY_VALUE__VALUE_STRING_VALUE;
    value->string_value = (char *)text;
  } else {
    value->value_case = SANDPLANE__OTLP__ANY_VALUE__VALUE_INT_VALUE;
    value->int_value = number;
  }
  return kv;
}

static Sandplane__Otlp__Span *message_of(Arena *arena, TraceSpan *s) {
  Sandplane__Otlp__Span *m = arena_alloc(arena, sizeof *m);
  sandplane__otlp__span__init(m);
  m->trace_id = (ProtobufCBinaryData){TRACE_ID_LEN, s->context.trace_id};
  m->span_id = (ProtobufCBinaryData){TRACE_SPAN_ID_LEN, s->context.span_id};
  if (s->has_parent)
    m->parent_span_id = (ProtobufCBinaryData){TRACE_SPAN_ID_LEN, s->parent_id};
  if (s->state)
    m->trace_state = s->state;
  m->name = s->name;
  m->kind = s->kind;
  m->flags = 1; /* sampled */
  m->start_time_unix_nano = (uint64_t)s->start_us * 1000;
  m->end_time_unix_nano = (uint64_t)(s->start_us + s->duration_us) * 1000;
  m->n_attributes = s->n_attributes;
  m->attributes = arena_alloc(arena, (s->n_attributes + 1) * sizeof(Sandplane__Otlp__KeyValue *));
  for (size_t i = 0; i < s->n_attributes; i++)
    m->attributes[i] = pair(arena, s->attributes[i].key, s->attributes[i].text, s->attributes[i].number);
  if (s->error) {
    m->status = arena_alloc(arena, sizeof *m->status);
    sandplane__otlp__status__init(m->status);
    m->status->code = 2;
    m->status->message = s->error;
  }
  return m;
}

/* Takes up to BATCH_MAX spans off the queue into batch. */
static void pack(TraceExport *e) {
  Arena *arena = arena_new();
  Sandplane__Otlp__ExportRequest request = SANDPLANE__OTLP__EXPORT_REQUEST__INIT;
  Sandplane__Otlp__ResourceSpans of_resource = SANDPLANE__OTLP__RESOURCE_SPANS__INIT;
  Sandplane__Otlp__Resource resource = SANDPLANE__OTLP__RESOURCE__INIT;
  Sandplane__Otlp__ScopeSpans of_scope = SANDPLANE__OTLP__SCOPE_SPANS__INIT;
  Sandplane__Otlp__Scope scope = SANDPLANE__OTLP__SCOPE__INIT;
  TraceSpan *spans = e->head;
  of_scope.spans = arena_alloc(arena, BATCH_MAX * sizeof(Sandplane__Otlp__Span *));
  while (e->head && of_scope.n_spans < BATCH_MAX) {
    of_scope.spans[of_scope.n_spans++] = message_of(arena, e->head);
    e->head = e->head->next;
  }
  if (!e->head)
    e->tail = &e->head;
  const size_t n = of_scope.n_spans;
  e->n -= n;
  atomic_fetch_sub(&e->n_held, n);
  e->batch_n = n;
  scope.name = "sandplane";
  scope.version = e->version;
  of_scope.scope = &scope;
  resource.attributes = e->resource;
  resource.n_attributes = e->n_resource;
  of_resource.resource = &resource;
  of_resource.scope_spans = (Sandplane__Otlp__ScopeSpans *[]){&of_scope};
  of_resource.n_scope_spans = 1;
  request.resource_spans = (Sandplane__Otlp__ResourceSpans *[]){&of_resource};
  request.n_resource_spans = 1;
  e->batch = rpc_pb_pack(&request.base, &e->batch_len);
  for (size_t i = 0; i < n; i++) {
    TraceSpan *next = spans->next;
    trace_span_free(spans);
    spans = next;
  }
  arena_free(arena);
}

/* ---- sending ---- */

static void end_flush(void *arg) {
  TraceExport *e = arg;
  void (*done)(void *) = e->flushed;
  e->flushed = NULL;
  loop_timer_stop(e->flush_end);
  if (done)
    done(e->flush_arg);
}

static void send_batch(void *arg);

static void send_next(void *arg) {
  TraceExport *e = arg;
  if (e->batch)
    return;
  loop_timer_stop(e->delay);
  if (!e->head) {
    end_flush(e);
    return;
  }
  e->tries = 0;
  pack(e);
  send_batch(e);
}

static void batch_over(TraceExport *e) {
  free(e->batch);
  e->batch = NULL;
  if (e->n >= BATCH_MAX || e->flushing)
    send_next(e);
  else if (e->head)
    loop_timer_start(e->delay, DELAY_MS);
}

static bool may_pass(ErrorKind kind) {
  switch (kind) {
  case ERROR_UNAVAILABLE:
  case ERROR_DEADLINE_EXCEEDED:
  case ERROR_RESOURCE_EXHAUSTED:
  case ERROR_ABORTED:
    return true;
  default:
    return false;
  }
}

static void on_failed(TraceExport *e, const Error *status) {
  bool later = may_pass(status->kind);
  if (!later || ++e->tries >= TRIES || e->flushing) {
    count(e, METRIC_DROPPED, e->batch_n, later ? "unreachable" : "refused");
    batch_over(e);
    return;
  }
  int64_t pause = (int64_t)PAUSE_MS << (e->tries - 1);
  if (status->retry_after_ms > pause)
    pause = status->retry_after_ms < PAUSE_MAX_MS ? status->retry_after_ms : PAUSE_MAX_MS;
  loop_timer_start(e->pause, pause);
}

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  TraceExport *e = arg;
  e->calling = false;
  if (status->kind != ERROR_NONE) {
    on_failed(e, status);
    return;
  }
  size_t rejected = 0;
  Sandplane__Otlp__ExportResponse *r = sandplane__otlp__export_response__unpack(NULL, len, data);
  if (r && r->partial_success && r->partial_success->rejected_spans > 0)
    rejected = (size_t)r->partial_success->rejected_spans;
  if (rejected > e->batch_n)
    rejected = e->batch_n;
  if (r)
    sandplane__otlp__export_response__free_unpacked(r, NULL);
  count(e, METRIC_EXPORTED, e->batch_n - rejected, NULL);
  count(e, METRIC_DROPPED, rejected, "refused");
  batch_over(e);
}

static void send_batch(void *arg) {
  TraceExport *e = arg;
  e->calling = true;
  rpc_client_unary(e->channel, EXPORT_PATH, TIMEOUT_MS, e->batch, e->batch_len, on_answer, e);
}

static void queue(void *arg) {
  TraceSpan *span = arg;
  TraceExport *e = span->tracer->export;
  span->next = NULL;
  *e->tail = span;
  e->tail = &span->next;
  e->n++;
  if (e->batch)
    return;
  if (e->n == 1)
    loop_timer_start(e->delay, DELAY_MS);
  else if (e->n == BATCH_MAX)
    loop_timer_start(e->delay, 0);
}

void trace_export_add(TraceExport *e, TraceSpan *span) {
  if (atomic_fetch_add(&e->n_held, 1) >= QUEUE_MAX) {
    atomic_fetch_sub(&e->n_held, 1);
    count(e, METRIC_DROPPED, 1, "queue_full");
    trace_span_free(span);
  } else if (loop_is_elsewhere(e->loop)) {
    loop_post(e->loop, queue, span);
  } else {
    queue(span);
  }
}

void trace_export_flush(TraceExport *e, int64_t timeout_ms, void (*done)(void *arg), void *arg) {
  e->flushing = true;
  e->flushed = done;
  e->flush_arg = arg;
  loop_timer_start(e->flush_end, timeout_ms);
  if (e->batch && !e->calling) {
    loop_timer_stop(e->pause);
    send_batch(e);
  } else {
    loop_timer_start(e->delay, 0); /* done never runs inside this call */
  }
}

/* ---- life ---- */

static void add_resource(TraceExport *e, const char *key, const char *value) {
  e->resource[e->n_resource++] = pair(e->strings, key, arena_strdup(e->strings, value), 0);
}

TraceExport *trace_export_new(Loop *loop, const TraceConfig *config, Metrics *metrics, size_t first) {
  TraceExport *e = new0(TraceExport);
  const char *address = config->endpoint + (str_starts_with(config->endpoint, "http://") ? 7 : 0);
  size_t len = str_starts_with(address, "unix:") ? strlen(address) : strcspn(address, "/");
  CLEANUP(str_freep) char *target = str_ndup(address, len);
  char instance[33];
  random_uid(instance);
  e->loop = loop;
  e->channel = rpc_channel_new(loop, target);
  e->metrics = metrics;
  e->first_metric = first;
  e->tail = &e->head;
  e->strings = arena_new();
  e->version = arena_strdup(e->strings, config->service_version);
  e->resource = arena_alloc(e->strings, 5 * sizeof(Sandplane__Otlp__KeyValue *));
  add_resource(e, "service.name", config->service_name);
  add_resource(e, "service.namespace", "sandplane");
  add_resource(e, "service.instance.id", instance);
  add_resource(e, "service.version", config->service_version);
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) == 0 && str_is_utf8(host, strlen(host)))
    add_resource(e, "host.name", host); /* of a Pod: its name */
  e->delay = loop_timer_new(loop, send_next, e);
  e->pause = loop_timer_new(loop, send_batch, e);
  e->flush_end = loop_timer_new(loop, end_flush, e);
  return e;
}

void trace_export_free(TraceExport *e) {
  e->flushing = false;
  e->tries = TRIES;
  e->n = 0;
  for (TraceSpan *s = e->head, *next; s; s = next) {
    next = s->next;
    trace_span_free(s);
  }
  e->head = NULL;
  e->tail = &e->head;
  rpc_channel_free(e->channel); /* answers what is under way with CANCELLED */
  free(e->batch);
  loop_timer_free(e->delay);
  loop_timer_free(e->pause);
  loop_timer_free(e->flush_end);
  arena_free(e->strings);
  free(e);
}
