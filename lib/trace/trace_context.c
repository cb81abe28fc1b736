/* See trace_context.h. */
#include "lib/trace/trace_context.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

enum { FLAG_SAMPLED = 1 };

/* Lower case only, as the recommendation wants it. */
static int digit(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* len bytes from twice as many digits; the end, or NULL. */
static const char *take(const char *s, uint8_t *out, size_t len) {
  for (size_t i = 0; s && i < len; i++) {
    int high = digit(s[2 * i]), low = high < 0 ? -1 : digit(s[2 * i + 1]);
    if (low < 0)
      return NULL;
    out[i] = (uint8_t)(high << 4 | low);
  }
  return s ? s + 2 * len : NULL;
}

static const char *skip(const char *s, char c) {
  return s && *s == c ? s + 1 : NULL;
}

static bool is_zero(const uint8_t *id, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (id[i])
      return false;
  return true;
}

bool trace_context_parse(const char *text, TraceContext *ret) {
  uint8_t version, flags;
  TraceContext c = {0};
  const char *s = skip(take(text, &version, 1), '-');
  s = skip(take(s, c.trace_id, sizeof c.trace_id), '-');
  s = skip(take(s, c.span_id, sizeof c.span_id), '-');
  s = take(s, &flags, 1);
  if (!s || version == 0xff || (version == 0 ? *s != 0 : *s != 0 && *s != '-'))
    return false;
  if (is_zero(c.trace_id, sizeof c.trace_id) || is_zero(c.span_id, sizeof c.span_id))
    return false;
  c.sampled = flags & FLAG_SAMPLED;
  *ret = c;
  return true;
}

void trace_context_write(const TraceContext *c, char out[TRACE_PARENT_SIZE]) {
  char trace[2 * TRACE_ID_LEN + 1], span[2 * TRACE_SPAN_ID_LEN + 1];
  str_hex(c->trace_id, sizeof c->trace_id, trace);
  str_hex(c->span_id, sizeof c->span_id, span);
  snprintf(out, TRACE_PARENT_SIZE, "00-%s-%s-%02x", trace, span, c->sampled ? FLAG_SAMPLED : 0);
}

bool trace_context_state_is_sound(const char *s) {
  size_t len = s ? strlen(s) : 0;
  if (len == 0 || len > TRACE_STATE_MAX)
    return false;
  for (size_t i = 0; i < len; i++)
    if (s[i] < ' ' || s[i] > '~')
      return false;
  return true;
}
