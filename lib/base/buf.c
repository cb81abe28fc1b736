/* See buf.h. Capacity doubles, so appending is linear in the end. */
#include "lib/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

/* Smallest block: most request buffers never grow past it. */
#define BUF_MIN_CAP 256

void buf_deinit(Buf *buf) {
  free(buf->data);
  size_t max = buf->max;
  *buf = BUF_INIT(max);
}

uint8_t *buf_reserve(Buf *buf, size_t n) {
  size_t max = buf->max ? buf->max : BUF_MAX_DEFAULT;
  if (n > max || buf->len > max - n)
    return NULL;
  size_t need = buf->len + n + 1;
  if (need > buf->cap) {
    size_t cap = buf->cap ? buf->cap : BUF_MIN_CAP;
    while (cap < need)
      cap *= 2;
    buf->data = xrealloc(buf->data, cap);
    buf->cap = cap;
  }
  buf->data[buf->len] = 0;
  return buf->data + buf->len;
}

int buf_append(Buf *buf, const void *data, size_t len) {
  uint8_t *to = buf_reserve(buf, len);
  if (!to)
    return -1;
  if (len)
    memcpy(to, data, len);
  buf->len += len;
  buf->data[buf->len] = 0;
  return 0;
}

int buf_append_str(Buf *buf, const char *s) {
  return buf_append(buf, s, strlen(s));
}

int buf_vprintf(Buf *buf, const char *fmt, va_list ap) {
  va_list again;
  va_copy(again, ap);
  int n = vsnprintf(NULL, 0, fmt, ap);
  uint8_t *to = n < 0 ? NULL : buf_reserve(buf, (size_t)n);
  if (to) {
    vsnprintf((char *)to, (size_t)n + 1, fmt, again);
    buf->len += (size_t)n;
  }
  va_end(again);
  return to ? 0 : -1;
}

int buf_printf(Buf *buf, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  int rc = buf_vprintf(buf, fmt, ap);
  va_end(ap);
  return rc;
}

void buf_consume(Buf *buf, size_t n) {
  if (n == 0)
    return;
  buf->len -= n;
  memmove(buf->data, buf->data + n, buf->len + 1);
}
