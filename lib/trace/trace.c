/* See trace.h. */
#include "lib/trace/trace.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/address.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/trace/trace_span.h"

enum { VALUE_MAX = 255 };

int trace_check_endpoint(const char *endpoint, Error *err) {
  if (str_starts_with(endpoint, "https://"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s': TLS is not spoken here; name a collector beside the service",
                     endpoint);
  const char *address = str_starts_with(endpoint, "http://") ? endpoint + 7 : endpoint;
  /* of a URL the path is left out: OTLP over gRPC has none */
  size_t len = str_starts_with(address, "unix:") ? strlen(address) : strcspn(address, "/");
  CLEANUP(str_freep) char *text = str_ndup(address, len);
  Address peer;
  if (address_parse_peer(text, &peer, NULL) || (peer.kind == ADDRESS_TCP && !*peer.host))
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not http://host:port or unix:/path", endpoint);
  return 0;
}

int trace_check_ratio(const char *text, double *ret_ratio, Error *err) {
  char *end;
  double ratio = strtod(text, &end);
  if (end == text || *end || !(ratio >= 0 && ratio <= 1))
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not a number from 0 to 1", text);
  *ret_ratio = ratio;
  return 0;
}

Tracer *tracer_new(Loop *loop, const TraceConfig *config, Metrics *metrics, size_t first) {
  Tracer *t = new0(Tracer);
  t->ratio = config->ratio;
  t->export = trace_export_new(loop, config, metrics, first);
  return t;
}

void tracer_flush(Tracer *t, int64_t timeout_ms, void (*done)(void *arg), void *arg) {
  trace_export_flush(t->export, timeout_ms, done, arg);
}

void tracer_free(Tracer *t) {
  if (!t)
    return;
  trace_export_free(t->export);
  free(t);
}

/* ---- spans ---- */

/* By the id's last bytes, as other tracers do: so all that see a trace choose alike. */
static bool choose(const Tracer *t, const TraceContext *c) {
  uint64_t number = 0;
  for (size_t i = TRACE_ID_LEN - 8; i < TRACE_ID_LEN; i++)
    number = number << 8 | c->trace_id[i];
  return t->ratio >= 1 || (double)(number >> 1) < t->ratio * 0x1p63;
}

/* Cut where a character ends; NULL: it is no text. */
static char *cut(const char *value) {
  size_t len = strlen(value);
  if (len > VALUE_MAX) {
    len = VALUE_MAX;
    while (len > 0 && ((uint8_t)value[len] & 0xc0) == 0x80)
      len--;
  }
  return str_is_utf8(value, len) ? str_ndup(value, len) : NULL;
}

static TraceSpan *span_new(Tracer *t, TraceKind kind, const char *name) {
  TraceSpan *s = new0(TraceSpan);
  s->tracer = t;
  s->kind = kind;
  random_bytes(s->context.span_id, sizeof s->context.span_id);
  s->context.span_id[0] |= 1; /* zero is no id */
  s->name = cut(name);
  if (!s->name)
    s->name = str_dup("unknown");
  s->start_us = clock_wall_us();
  s->begun_us = clock_mono_us();
  return s;
}

static void continue_trace(TraceSpan *s, const TraceContext *parent) {
  s->has_parent = true;
  memcpy(s->parent_id, parent->span_id, sizeof s->parent_id);
  memcpy(s->context.trace_id, parent->trace_id, sizeof s->context.trace_id);
  s->context.sampled = parent->sampled;
}

TraceSpan *trace_start(Tracer *t, TraceKind kind, const char *name, const char *traceparent, const char *tracestate) {
  TraceContext parent;
  if (!t)
    return NULL;
  TraceSpan *s = span_new(t, kind, name);
  if (trace_context_parse(traceparent, &parent)) {
    continue_trace(s, &parent);
    if (trace_context_state_is_sound(tracestate))
      s->state = str_dup(tracestate);
  } else {
    random_bytes(s->context.trace_id, sizeof s->context.trace_id);
    s->context.trace_id[0] |= 1;
    s->context.sampled = choose(t, &s->context);
  }
  return s;
}

TraceSpan *trace_child(const TraceSpan *parent, TraceKind kind, const char *name) {
  if (!trace_is_recorded(parent))
    return NULL;
  TraceSpan *s = span_new(parent->tracer, kind, name);
  continue_trace(s, &parent->context);
  return s;
}

bool trace_is_recorded(const TraceSpan *span) {
  return span && span->context.sampled;
}

static TraceAttribute *attribute(TraceSpan *s, const char *key) {
  if (!trace_is_recorded(s) || s->n_attributes == TRACE_ATTRIBUTES_MAX)
    return NULL;
  TraceAttribute *a = &s->attributes[s->n_attributes++];
  a->key = key;
  return a;
}

void trace_str(TraceSpan *s, const char *key, const char *value) {
  char *text = trace_is_recorded(s) && value ? cut(value) : NULL;
  TraceAttribute *a = text ? attribute(s, key) : NULL;
  if (a)
    a->text = text;
  else
    free(text);
}

void trace_int(TraceSpan *s, const char *key, int64_t value) {
  TraceAttribute *a = attribute(s, key);
  if (a)
    a->number = value;
}

void trace_fail(TraceSpan *s, const char *message) {
  if (!trace_is_recorded(s) || s->error)
    return;
  s->error = cut(message ? message : "");
  if (!s->error)
    s->error = str_dup("");
}

void trace_end(TraceSpan *s) {
  if (!s)
    return;
  if (!s->context.sampled)
    return trace_span_free(s);
  s->duration_us = clock_mono_us() - s->begun_us;
  trace_export_add(s->tracer->export, s);
}

void trace_parent(const TraceSpan *s, char out[TRACE_PARENT_SIZE]) {
  trace_context_write(&s->context, out);
}

const char *trace_state(const TraceSpan *s) {
  return s->state;
}
