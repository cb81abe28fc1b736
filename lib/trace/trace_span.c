/* See trace_span.h. */
#include "lib/trace/trace_span.h"

#include <stdlib.h>

void trace_span_free(TraceSpan *s) {
  for (size_t i = 0; i < s->n_attributes; i++)
    free(s->attributes[i].text);
  free(s->name);
  free(s->state);
  free(s->error);
  free(s);
}
