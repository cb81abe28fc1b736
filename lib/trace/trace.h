/* Traces: spans of what a service does, sent to an OpenTelemetry collector.
 *
 * A service without an endpoint has no Tracer, and a NULL Tracer and a NULL TraceSpan are good everywhere here: they
 * cost one comparison. Whether a trace is recorded is its root's choice: the caller's sampled flag, or the ratio where
 * nobody called with a context. A span that is not recorded still has a context to hand on, so that nobody
 * further down begins a trace of its own.
 *
 * Nothing here waits: ended spans are a bounded queue that is sent in batches, one at a time; what does not fit, or
 * cannot be delivered, is dropped and counted. Spans may be begun and ended on any loop, each by one thread at a time;
 * all else happens on the tracer's.
 */
#ifndef SANDPLANE_LIB_TRACE_TRACE_H_
#define SANDPLANE_LIB_TRACE_TRACE_H_

#include "lib/base/error.h"
#include "lib/base/metrics.h"
#include "lib/loop/loop.h"
#include "lib/trace/trace_context.h"

typedef struct Tracer Tracer;
typedef struct TraceSpan TraceSpan;

typedef struct TraceConfig {
  const char *endpoint;     /* "http://host:port", "host:port" or "unix:/path" of a collector: OTLP over gRPC */
  const char *service_name; /* resource attributes */
  const char *service_version;
  double ratio; /* of roots that are recorded, 0 to 1 */
} TraceConfig;

typedef enum TraceKind { TRACE_INTERNAL = 1, TRACE_SERVER = 2, TRACE_CLIENT = 3 } TraceKind;

/* The settings as people write them. -1: not an endpoint (TLS is not spoken), or not a ratio. */
int trace_check_endpoint(const char *endpoint, Error *err) MUST_CHECK;
int trace_check_ratio(const char *text, double *ret_ratio, Error *err) MUST_CHECK;

/* The metrics of tracers, for a service's table; the index of the first. */
size_t trace_metrics(Metrics *metrics);
/* first: what trace_metrics returned. Connects in the background. */
Tracer *tracer_new(Loop *loop, const TraceConfig *config, Metrics *metrics, size_t first);
/* Sends what is queued; done runs on the loop when that is over, after timeout_ms at the latest. Once. */
void tracer_flush(Tracer *tracer, int64_t timeout_ms, void (*done)(void *arg), void *arg);
/* Before the loop; spans that are under way are ended or dropped before, and those that other loops ended have been
 * taken, which postings behind them show. NULL-safe. */
void tracer_free(Tracer *tracer);

/* traceparent, tracestate: of the caller; NULL where there is none, or what is there is not sound: then it is a root.
 * NULL only without a tracer. name is copied. */
TraceSpan *trace_start(Tracer *tracer, TraceKind kind, const char *name, const char *traceparent,
                       const char *tracestate);
/* NULL for a parent that is NULL or not recorded. The parent may end first. */
TraceSpan *trace_child(const TraceSpan *parent, TraceKind kind, const char *name);
/* An attribute; key must outlive the span, value is copied and cut at 255 bytes. Not UTF-8: left out. */
void trace_str(TraceSpan *span, const char *key, const char *value);
void trace_int(TraceSpan *span, const char *key, int64_t value);
/* Its status is an error. */
void trace_fail(TraceSpan *span, const char *message);
/* Frees it, or queues it when it is recorded. */
void trace_end(TraceSpan *span);
bool trace_is_recorded(const TraceSpan *span);

/* What to send on as traceparent and tracestate (NULL: none). span is not NULL. */
void trace_parent(const TraceSpan *span, char out[TRACE_PARENT_SIZE]);
const char *trace_state(const TraceSpan *span);

#endif
