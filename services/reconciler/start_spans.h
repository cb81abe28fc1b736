/* The spans of sandboxes that are being started, from the order until the sandbox is ready or is not going to be.
 * Nothing is kept where traces are off or the order's trace is not recorded. */
#ifndef SANDPLANE_SERVICES_RECONCILER_START_SPANS_H_
#define SANDPLANE_SERVICES_RECONCILER_START_SPANS_H_

#include "lib/trace/trace.h"

typedef struct StartSpans StartSpans;

StartSpans *start_spans_new(void);
void start_spans_free(StartSpans *spans); /* NULL-safe */
/* Of an order, whose call's span is parent (or NULL). An order that is repeated changes nothing. */
void start_spans_begin(StartSpans *spans, const TraceSpan *parent, const char *ns, const char *pool, const char *id);
/* reason NULL: it is ready. Nothing for one that is not known. */
void start_spans_end(StartSpans *spans, const char *ns, const char *id, const char *reason);

#endif
