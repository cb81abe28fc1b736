/* Headers of strangers: what is taken for a context is written again, and read again, as the same one. */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/trace/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(str_freep) char *text = str_ndup((const char *)data, size);
  TraceContext c, again;
  char written[TRACE_PARENT_SIZE];
  if (trace_context_state_is_sound(text) && strpbrk(text, "\r\n"))
    abort();
  if (!trace_context_parse(text, &c))
    return 0;
  trace_context_write(&c, written);
  if (!trace_context_parse(written, &again) || memcmp(c.trace_id, again.trace_id, sizeof c.trace_id) != 0 ||
      memcmp(c.span_id, again.span_id, sizeof c.span_id) != 0 || c.sampled != again.sampled)
    abort();
  return 0;
}
