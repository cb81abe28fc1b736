/* W3C trace context: the two headers by which callers, this project and what it calls name one trace. Pure.
 *
 * traceparent is read as level 1 and 2 of the recommendation ask: versions above 00 by their first four fields,
 * all-zero ids and version ff refused. tracestate is opaque here and handed on as it came.
 */
#ifndef SANDPLANE_LIB_TRACE_TRACE_CONTEXT_H_
#define SANDPLANE_LIB_TRACE_TRACE_CONTEXT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
  TRACE_ID_LEN = 16,
  TRACE_SPAN_ID_LEN = 8,
  TRACE_PARENT_SIZE = 56, /* of the header's text, with its NUL */
  TRACE_STATE_MAX = 512,  /* a longer tracestate is not handed on */
};

typedef struct TraceContext {
  uint8_t trace_id[TRACE_ID_LEN];
  uint8_t span_id[TRACE_SPAN_ID_LEN];
  bool sampled;
} TraceContext;

/* text may be NULL. False: there is no usable context in it. */
bool trace_context_parse(const char *text, TraceContext *ret);
void trace_context_write(const TraceContext *context, char out[TRACE_PARENT_SIZE]);
/* Visible ASCII and spaces, not empty, not too long: can be sent as a header. */
bool trace_context_state_is_sound(const char *tracestate);

#endif
