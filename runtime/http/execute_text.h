/* Bytes of a JSON text into UTF-8, as Python's json.loads takes them: UTF-8, UTF-16 or UTF-32, told by their first four
 * bytes, with or without a byte order mark; halves of surrogate pairs pass. */
#ifndef SANDPLANE_RUNTIME_HTTP_EXECUTE_TEXT_H_
#define SANDPLANE_RUNTIME_HTTP_EXECUTE_TEXT_H_

#include "lib/base/buf.h"

/* -1: it is no text in that encoding. */
int execute_text_decode(const uint8_t *data, size_t len, Buf *out) MUST_CHECK;
/* One code point; a surrogate gives three bytes, which are no UTF-8. */
void execute_text_put(Buf *out, uint32_t c);

#endif
