/* Spans against a collector that is a gRPC server of this process: what arrives, and that nothing but a counter
 * tells of what does not. */
#include "lib/trace/trace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/trace/otlp.pb-c.h"

#define CALLER "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

typedef struct World {
  Loop *loop;
  LoopTimer *step;
  RpcServer *server;
  char target[64];
  Metrics *metrics;
  Tracer *tracer;
  bool drained, flushed;
  /* of the collector */
  ErrorKind answers[8]; /* in turn; then OK */
  size_t n_calls, n_spans;
  int64_t rejects;
  Sandplane__Otlp__ExportRequest *last;
} World;

static void export_call(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  World *w = service;
  ErrorKind kind = w->n_calls < ARRAY_LEN(w->answers) ? w->answers[w->n_calls] : ERROR_NONE;
  w->n_calls++;
  if (kind != ERROR_NONE) {
    Error err;
    error_set(&err, kind, "as the test wants");
    rpc_call_finish(call, &err);
    return;
  }
  if (w->last)
    sandplane__otlp__export_request__free_unpacked(w->last, NULL);
  w->last = sandplane__otlp__export_request__unpack(NULL, len, data);
  assert_non_null(w->last);
  w->n_spans += w->last->resource_spans[0]->scope_spans[0]->n_spans;
  Sandplane__Otlp__ExportResponse response = SANDPLANE__OTLP__EXPORT_RESPONSE__INIT;
  Sandplane__Otlp__PartialSuccess partial = SANDPLANE__OTLP__PARTIAL_SUCCESS__INIT;
  partial.rejected_spans = w->rejects;
  response.partial_success = &partial;
  rpc_pb_reply(call, &response.base);
}

static const RpcMethod METHODS[] = {
    {"/opentelemetry.proto.collector.trace.v1.TraceService/Export", RPC_UNARY, export_call}};

static void stop(void *arg) {
  loop_stop(arg);
}

static void turn(World *w) {
  loop_timer_start(w->step, 1);
  loop_run(w->loop);
}

#define WAIT(w, condition)                                     \
  for (int64_t end = clock_mono_ms() + 60000; !(condition);) { \
    if (clock_mono_ms() > end)                                 \
      fail_msg("never: %s", #condition);                       \
    turn(w);                                                   \
  }

static void begin(World *w, double ratio, const char *endpoint) {
  *w = (World){.loop = loop_new()};
  w->step = loop_timer_new(w->loop, stop, w->loop);
  Error err;
  const RpcServerConfig collector = {.address = "127.0.0.1:0", .methods = METHODS, .n_methods = 1, .service = w};
  w->server = rpc_server_new(w->loop, &collector, &err);
  assert_non_null(w->server);
  snprintf(w->target, sizeof w->target, "http://127.0.0.1:%d/", rpc_server_port(w->server));
  w->metrics = metrics_new(NULL, 0);
  size_t first = trace_metrics(w->metrics);
  TraceConfig config = {
      .endpoint = endpoint ? endpoint : w->target, .service_name = "test", .service_version = "1", .ratio = ratio};
  assert_ok(trace_check_endpoint(config.endpoint, &err), &err);
  w->tracer = tracer_new(w->loop, &config, w->metrics, first);
}

static void on_drained(void *arg) {
  ((World *)arg)->drained = true;
}

static void on_flushed(void *arg) {
  ((World *)arg)->flushed = true;
}

static void end(World *w) {
  tracer_free(w->tracer);
  rpc_server_drain(w->server, 100, on_drained, w);
  WAIT(w, w->drained);
  rpc_server_free(w->server);
  if (w->last)
    sandplane__otlp__export_request__free_unpacked(w->last, NULL);
  metrics_free(w->metrics);
  loop_timer_free(w->step);
  loop_free(w->loop);
}

static void flush_all(World *w) {
  tracer_flush(w->tracer, 30000, on_flushed, w);
  WAIT(w, w->flushed);
}

static double metric(World *w, const char *series) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  CLEANUP(str_freep) char *line = str_printf("\n%s ", series);
  assert_int_equal(metrics_write(w->metrics, &out), 0);
  const char *at = strstr(buf_str(&out), line);
  assert_non_null(at);
  return strtod(at + strlen(line), NULL);
}
#define EXPORTED "sandplane_trace_spans_exported_total"
#define DROPPED(reason) "sandplane_trace_spans_dropped_total{reason=\"" reason "\"}"

static const Sandplane__Otlp__Span *arrived(const World *w, const char *name) {
  Sandplane__Otlp__ScopeSpans *s = w->last->resource_spans[0]->scope_spans[0];
  for (size_t i = 0; i < s->n_spans; i++)
    if (strcmp(s->spans[i]->name, name) == 0)
      return s->spans[i];
  fail_msg("no span %s", name);
  return NULL;
}

static void one_trace(void **state) {
  World w;
  begin(&w, 0, NULL); /* the caller's choice goes before the ratio */
  TraceSpan *call = trace_start(w.tracer, TRACE_SERVER, "call", CALLER, "congo=t61");
  trace_str(call, "rpc.method", "Create");
  trace_str(call, "bad", "\xff");
  trace_int(call, "rpc.grpc.status_code", 14);
  char parent[TRACE_PARENT_SIZE];
  trace_parent(call, parent);
  assert_memory_equal(parent, CALLER, 36);
  assert_string_equal(trace_state(call), "congo=t61");
  TraceSpan *part = trace_child(call, TRACE_INTERNAL, "part");
  trace_fail(call, "UNAVAILABLE");
  trace_end(call);
  trace_end(part);
  flush_all(&w);
  assert_int_equal(w.n_spans, 2);
  const Sandplane__Otlp__Span *a = arrived(&w, "call"), *b = arrived(&w, "part");
  assert_memory_equal(a->parent_span_id.data, "\x00\xf0\x67\xaa\x0b\xa9\x02\xb7", 8);
  assert_memory_equal(b->parent_span_id.data, a->span_id.data, 8);
  assert_memory_equal(b->trace_id.data, a->trace_id.data, 16);
  assert_string_equal(a->trace_state, "congo=t61");
  assert_int_equal(a->kind, TRACE_SERVER);
  assert_int_equal(a->n_attributes, 2);
  assert_string_equal(a->attributes[0]->value->string_value, "Create");
  assert_int_equal(a->attributes[1]->value->int_value, 14);
  assert_int_equal(a->status->code, 2);
  assert_null(b->status);
  assert_true(a->end_time_unix_nano >= a->start_time_unix_nano);
  assert_string_equal(w.last->resource_spans[0]->resource->attributes[0]->value->string_value, "test");
  assert_true(metric(&w, EXPORTED) == 2);
  end(&w);
}

static void not_recorded(void **state) {
  World w;
  begin(&w, 0, NULL);
  char parent[TRACE_PARENT_SIZE];
  TraceSpan *root = trace_start(w.tracer, TRACE_SERVER, "root", "nonsense", "a=b");
  trace_parent(root, parent);
  assert_string_equal(parent + 52, "-00");
  assert_null(trace_state(root));
  assert_null(trace_child(root, TRACE_INTERNAL, "part"));
  trace_str(root, "key", "value");
  trace_fail(root, "no");
  trace_end(root);
  /* all of it does nothing where traces are off */
  TraceSpan *none = trace_start(NULL, TRACE_SERVER, "root", NULL, NULL);
  assert_null(none);
  trace_str(none, "key", "value");
  trace_int(none, "key", 1);
  trace_end(trace_child(none, TRACE_INTERNAL, "part"));
  trace_end(none);
  flush_all(&w);
  assert_int_equal(w.n_calls, 0);
  end(&w);
}

static void a_share_is_recorded(void **state) {
  World w;
  begin(&w, 0.5, NULL);
  enum { N = 1000 };
  for (int i = 0; i < N; i++)
    trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  flush_all(&w);
  /* seventeen standard deviations on either side */
  assert_in_range(w.n_spans, N / 4, N - N / 4);
  end(&w);
}

static void tries_again(void **state) {
  World w;
  begin(&w, 1, NULL);
  w.answers[0] = ERROR_UNAVAILABLE;
  trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  WAIT(&w, w.n_spans == 1);
  assert_int_equal(w.n_calls, 2);
  WAIT(&w, metric(&w, EXPORTED) == 1);
  assert_true(metric(&w, DROPPED("unreachable")) == 0);
  end(&w);
}

/* A caller chooses the method's name: what is no text would have the collector refuse all that goes with it. */
static void names_are_text(void **state) {
  World w;
  char name[2000];
  memset(name, 'n', sizeof name);
  name[sizeof name - 1] = 0;
  begin(&w, 1, NULL);
  trace_end(trace_start(w.tracer, TRACE_SERVER, "Service/\xff", NULL, NULL));
  trace_end(trace_start(w.tracer, TRACE_SERVER, name, NULL, NULL));
  flush_all(&w);
  assert_non_null(arrived(&w, "unknown"));
  name[255] = 0;
  assert_non_null(arrived(&w, name));
  end(&w);
}

static void refused_ones_are_counted(void **state) {
  World w;
  begin(&w, 1, NULL);
  w.answers[0] = ERROR_UNIMPLEMENTED;
  trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  WAIT(&w, metric(&w, DROPPED("refused")) == 1);
  w.rejects = 1;
  trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  WAIT(&w, metric(&w, DROPPED("refused")) == 2);
  assert_true(metric(&w, EXPORTED) == 1);
  end(&w);
}

/* Nobody there, and more spans than the queue holds: the rest is dropped, and the end does not wait for long. */
static void away_and_full(void **state) {
  World w;
  begin(&w, 1, "unix:/nonexistent/collector.sock");
  for (int i = 0; i < 3000; i++)
    trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  assert_true(metric(&w, DROPPED("queue_full")) == 3000 - 2048);
  flush_all(&w);
  assert_true(metric(&w, DROPPED("unreachable")) == 2048);
  end(&w);
}

static void more_than_a_batch(void **state) {
  World w;
  begin(&w, 1, NULL);
  for (int i = 0; i < 1300; i++)
    trace_end(trace_start(w.tracer, TRACE_SERVER, "root", NULL, NULL));
  flush_all(&w);
  assert_int_equal(w.n_spans, 1300);
  assert_int_equal(w.n_calls, 3);
  end(&w);
}

static void end_many(void *arg) {
  World *w = arg;
  for (int i = 0; i < 700; i++)
    trace_end(trace_start(w->tracer, TRACE_SERVER, "root", NULL, NULL));
}

static void *run_another_loop(void *arg) {
  Loop *loop = loop_new();
  loop_post(loop, end_many, arg);
  loop_post(loop, stop, loop);
  loop_run(loop);
  loop_free(loop);
  return NULL;
}

/* None is lost, and what does not fit is dropped before the tracer's loop has seen it. */
static void spans_of_other_loops(void **state) {
  World w;
  pthread_t threads[4];
  begin(&w, 1, NULL);
  for (size_t i = 0; i < ARRAY_LEN(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, run_another_loop, &w), 0);
  for (size_t i = 0; i < ARRAY_LEN(threads); i++)
    pthread_join(threads[i], NULL);
  assert_true(metric(&w, DROPPED("queue_full")) == 4 * 700 - 2048);
  flush_all(&w);
  assert_int_equal(w.n_spans, 2048);
  end(&w);
}

static void settings(void **state) {
  static const char *const GOOD[] = {"http://collector:4317", "http://[::1]:4317/", "collector:4317",
                                     "unix:/run/otel.sock"};
  static const char *const BAD[] = {
      "https://collector:4317", "collector", "http://collector", ":4317", "http://c:0", "c:x"};
  Error err;
  double ratio;
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
    assert_ok(trace_check_endpoint(GOOD[i], &err), &err);
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_int_equal(trace_check_endpoint(BAD[i], &err), -1);
  assert_ok(trace_check_ratio("0.25", &ratio, &err), &err);
  assert_true(ratio == 0.25);
  static const char *const NO_RATIO[] = {"", "1.5", "-1", "nan", "half", "0.5x"};
  for (size_t i = 0; i < ARRAY_LEN(NO_RATIO); i++)
    assert_int_equal(trace_check_ratio(NO_RATIO[i], &ratio, &err), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_trace),
      cmocka_unit_test(not_recorded),
      cmocka_unit_test(a_share_is_recorded),
      cmocka_unit_test(tries_again),
      cmocka_unit_test(refused_ones_are_counted),
      cmocka_unit_test(away_and_full),
      cmocka_unit_test(more_than_a_batch),
      cmocka_unit_test(spans_of_other_loops),
      cmocka_unit_test(settings),
      cmocka_unit_test(names_are_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
