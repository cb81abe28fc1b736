/* Lines of answers, as small programs write them, made into lines as the RFC has them.
 *
 * An answer is cut wrongly at worst, never taken for somebody else's: behind one that was mended no other may follow on
 * its connection (http_reader_is_exact). What browsers read without a word is repaired, in the way they read it; what
 * they refuse stays as it is, and http_line_check says what is wrong with it. Requests are never repaired.
 */
#ifndef SANDPLANE_LIB_HTTP_HTTP_REPAIR_H_
#define SANDPLANE_LIB_HTTP_HTTP_REPAIR_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/http/http_line.h"

enum { HTTP_REPAIR_LENGTH_MAX = 24 };

/* What the lines before this one said. Zero at the start of a message. */
typedef struct HttpRepair {
  bool old;  /* HTTP/1.0, which has no transfer codings */
  bool kept; /* the last line was a field, and one that counts: a folded line goes on with it */
  char length[HTTP_REPAIR_LENGTH_MAX]; /* Content-Length; empty: none yet */
} HttpRepair;

typedef enum HttpRepaired {
  HTTP_LINE_AS_IT_IS,
  HTTP_LINE_MENDED, /* in out, with its CRLF */
  HTTP_LINE_DROPPED,
  HTTP_LINE_FOLDED, /* the value before goes on; in out, with its CRLF */
} HttpRepaired;

/* line: with its LF. out is overwritten; it needs room for len + 2 bytes. */
HttpRepaired http_repair(HttpRepair *repair, HttpLine kind, const char *line, size_t len, Buf *out);

#endif
