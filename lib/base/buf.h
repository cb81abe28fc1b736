/* A growable run of bytes with a stated maximum.
 *
 * Out of memory aborts; reaching the maximum is an ordinary failure that leaves the content as it was.
 * data is always followed by a NUL byte that len does not count, so text can be read in place.
 */
#ifndef SANDPLANE_LIB_BASE_BUF_H_
#define SANDPLANE_LIB_BASE_BUF_H_

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"

typedef struct Buf {
  uint8_t *data;
  size_t len;
  size_t cap;
  /* Largest len; 0 means BUF_MAX_DEFAULT. */
  size_t max;
} Buf;

/* 64 MiB: far above anything held in memory at once; a stop for runaway growth. */
#define BUF_MAX_DEFAULT ((size_t)64 << 20)

#define BUF_INIT(max_len) ((Buf){.max = (max_len)})

void buf_deinit(Buf *buf);
/* 0, or -1 when max would be passed. */
int buf_append(Buf *buf, const void *data, size_t len) MUST_CHECK;
int buf_append_str(Buf *buf, const char *s) MUST_CHECK;
int buf_printf(Buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3) MUST_CHECK;
int buf_vprintf(Buf *buf, const char *fmt, va_list ap) MUST_CHECK;
/* Drops the first n bytes (n <= len). */
void buf_consume(Buf *buf, size_t n);
/* Room for n more bytes behind len, to be filled by the caller, who then adds to len. NULL: max. */
uint8_t *buf_reserve(Buf *buf, size_t n);
static inline const char *buf_str(const Buf *buf) {
  return buf->data ? (const char *)buf->data : "";
}

#endif
