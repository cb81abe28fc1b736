/* The lines of an HTTP/1 message, checked before http-parser sees them.
 *
 * http-parser is lenient where leniency is what request smuggling lives on: it takes a bare LF for a line
 * end, folds header lines, skips a CR in chunk lines unread. Whatever the next hop could read differently is
 * refused here (RFC 9112, sections 2.2, 3, 5.1, 5.2, 7.1).
 */
#ifndef SANDPLANE_LIB_HTTP_HTTP_LINE_H_
#define SANDPLANE_LIB_HTTP_HTTP_LINE_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

typedef enum HttpLine {
  HTTP_LINE_REQUEST,
  HTTP_LINE_STATUS,
  HTTP_LINE_FIELD,
  HTTP_LINE_FOLD,
  HTTP_LINE_CHUNK
} HttpLine;

/* Whether it is the name of a field. */
bool http_line_is_name(const char *name, size_t len);
/* line: with its LF, the only one. 0, or -1 with INVALID_ARGUMENT. A field line may be the empty one. A
 * fold, which a field's value goes on in, is one only for who asks for it by name. */
int http_line_check(HttpLine kind, const char *line, size_t len, Error *err) MUST_CHECK;

#endif
