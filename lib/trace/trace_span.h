/* A span as lib/trace keeps it: begun by trace.c, sent by trace_export.c. */
#ifndef SANDPLANE_LIB_TRACE_TRACE_SPAN_H_
#define SANDPLANE_LIB_TRACE_TRACE_SPAN_H_

#include "lib/base/arena.h"
#include "lib/trace/trace.h"
#include "lib/trace/trace_export.h"

enum { TRACE_ATTRIBUTES_MAX = 12 };

typedef struct TraceAttribute {
  const char *key;
  char *text; /* NULL: the number */
  int64_t number;
} TraceAttribute;

struct TraceSpan {
  TraceSpan *next; /* in the queue */
  Tracer *tracer;
  TraceContext context;
  bool has_parent;
  uint8_t parent_id[TRACE_SPAN_ID_LEN];
  TraceKind kind;
  char *name, *state;                      /* state: tracestate, or NULL */
  int64_t start_us, begun_us, duration_us; /* by the wall clock; by the monotonic one */
  char *error;                             /* NULL: unset */
  size_t n_attributes;
  TraceAttribute attributes[TRACE_ATTRIBUTES_MAX];
};

void trace_span_free(TraceSpan *span);

struct Tracer {
  double ratio;
  TraceExport *export;
};

#endif
