/* What a program printed, made into the inside of a JSON string as it comes: decoded as UTF-8, its line ends as
 * Python's text mode has them ("\r\n" and "\r" become "\n"), escaped. Pieces may be cut anywhere.
 *
 * What is no UTF-8 becomes U+FFFD, one for each longest beginning of a character, and the first such place is told in
 * the words of Python's decoder.
 */
#ifndef SANDPLANE_RUNTIME_HTTP_JSON_TEXT_H_
#define SANDPLANE_RUNTIME_HTTP_JSON_TEXT_H_

#include <stdbool.h>

#include "lib/base/buf.h"

typedef struct JsonText {
  uint8_t part[4]; /* of a character that is not whole yet */
  size_t n_part, n_whole;
  uint8_t low, high; /* what its next byte may be */
  bool cr;           /* the last byte was one */
  bool plain;        /* nothing is escaped */
  uint64_t at;       /* bytes taken */
  char error[128];   /* empty: all was UTF-8 so far */
} JsonText;

/* Zero-initialised at first. 0, or -1 when out is full; then out holds a part that ends with a whole character. */
int json_text_feed(JsonText *t, const uint8_t *data, size_t len, Buf *out) MUST_CHECK;
/* The text ends. As above. */
int json_text_end(JsonText *t, Buf *out) MUST_CHECK;
/* A whole text at once, into a new one that the caller frees; its line ends stay. For names of files, which may be
 * anything but NUL. In quotes; as it is, but for what is no UTF-8. */
char *json_text_quote(const char *s);
char *json_text_repair(const char *s);

#endif
