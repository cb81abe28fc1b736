/* Ended spans on their way to the collector (internal to lib/trace).
 *
 * A queue of QUEUE_MAX, with those that other loops have posted, from which batches of BATCH_MAX go by one unary call
 * at a time, a second after the first span or at once when a batch is full. A batch that the collector could take later
 * (it is away, slow, busy) is tried TRIES times with growing pauses, during which the queue fills and then drops; any
 * other answer drops the batch.
 */
#ifndef SANDPLANE_LIB_TRACE_TRACE_EXPORT_H_
#define SANDPLANE_LIB_TRACE_TRACE_EXPORT_H_

#include "lib/trace/trace.h"

typedef struct TraceExport TraceExport;

TraceExport *trace_export_new(Loop *loop, const TraceConfig *config, Metrics *metrics, size_t first);
/* Moved in, from any loop. */
void trace_export_add(TraceExport *e, TraceSpan *span);
void trace_export_flush(TraceExport *e, int64_t timeout_ms, void (*done)(void *arg), void *arg);
void trace_export_free(TraceExport *e);

#endif
