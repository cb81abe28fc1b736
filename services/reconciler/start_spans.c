/* See start_spans.h. */
#include "services/reconciler/start_spans.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* Sandboxes are ordered by pools as it fills them; far more under way than this is a world that answers nothing. */
#define MAX_SPANS 10000

typedef struct Start {
  char *key; /* first member: the key of the tree */
  TraceSpan *span;
} Start;

struct StartSpans {
  void *root; /* tsearch(3) */
  size_t n;
};

static int compare(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static void start_free(void *arg) {
  Start *s = arg;
  trace_end(s->span);
  free(s->key);
  free(s);
}

StartSpans *start_spans_new(void) {
  StartSpans *spans = new0(StartSpans);
  return spans;
}

void start_spans_free(StartSpans *spans) {
  if (!spans)
    return;
  tdestroy(spans->root, start_free);
  free(spans);
}

void start_spans_begin(StartSpans *spans, const TraceSpan *parent, const char *ns, const char *pool, const char *id) {
  if (!trace_is_recorded(parent) || spans->n >= MAX_SPANS)
    return;
  Start *s = new0(Start);
  s->key = str_printf("%s/%s", ns, id);
  Start **node = tsearch(s, &spans->root, compare);
  if (!node)
    abort();
  if (*node != s)
    return start_free(s);
  spans->n++;
  s->span = trace_child(parent, TRACE_INTERNAL, "start sandbox");
  trace_str(s->span, "sandplane.namespace", ns);
  trace_str(s->span, "sandplane.pool", pool);
  trace_str(s->span, "sandplane.sandbox", id);
}

void start_spans_end(StartSpans *spans, const char *ns, const char *id, const char *reason) {
  if (spans->n == 0)
    return;
  CLEANUP(str_freep) char *key = str_printf("%s/%s", ns, id);
  const Start wanted = {.key = key};
  Start **node = tfind(&wanted, &spans->root, compare);
  if (!node)
    return;
  Start *s = *node;
  tdelete(&wanted, &spans->root, compare);
  spans->n--;
  if (reason)
    trace_fail(s->span, reason);
  start_free(s);
}
