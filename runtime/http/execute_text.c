/* See execute_text.h. */
#include "runtime/http/execute_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct Encoding {
  size_t unit; /* bytes: 1, 2 or 4 */
  bool big;
  size_t mark; /* bytes of the byte order mark */
} Encoding;

static Encoding detect(const uint8_t *b, size_t len) {
  static const struct {
    const char *mark;
    size_t len;
    Encoding is;
  } MARKS[] = {{"\0\0\xfe\xff", 4, {4, true, 4}},
               {"\xff\xfe\0\0", 4, {4, false, 4}},
               {"\xfe\xff", 2, {2, true, 2}},
               {"\xff\xfe", 2, {2, false, 2}},
               {"\xef\xbb\xbf", 3, {1, false, 3}}};
  for (size_t i = 0; i < ARRAY_LEN(MARKS); i++)
    if (len >= MARKS[i].len && memcmp(b, MARKS[i].mark, MARKS[i].len) == 0)
      return MARKS[i].is;
  /* a JSON text begins with two ASCII characters, or is one */
  if (len >= 4 && !b[0])
    return b[1] ? (Encoding){2, true, 0} : (Encoding){4, true, 0};
  if (len >= 4 && !b[1])
    return b[2] || b[3] ? (Encoding){2, false, 0} : (Encoding){4, false, 0};
  if (len == 2 && (!b[0] || !b[1]))
    return (Encoding){2, !b[0], 0};
  return (Encoding){1, false, 0};
}

void execute_text_put(Buf *out, uint32_t c) {
  uint8_t b[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const uint8_t LEAD[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 0; c >>= 6)
    b[i] = (uint8_t)(i ? 0x80 | (c & 0x3f) : LEAD[n] | c);
  if (buf_append(out, b, n))
    abort(); /* the caller's buffer holds what its input can become */
}

static uint32_t unit_at(const uint8_t *b, Encoding e) {
  uint32_t v = 0;
  for (size_t i = 0; i < e.unit; i++)
    v |= (uint32_t)b[i] << 8 * (e.big ? e.unit - 1 - i : i);
  return v;
}

static int decode_units(const uint8_t *b, size_t len, Encoding e, Buf *out) {
  if (len % e.unit)
    return -1;
  for (size_t i = 0; i < len; i += e.unit) {
    uint32_t c = unit_at(b + i, e), low;
    if (e.unit == 2 && c >= 0xd800 && c < 0xdc00 && i + 2 < len && (low = unit_at(b + i + 2, e)) >= 0xdc00 &&
        low < 0xe000) {
      c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
      i += 2;
    }
    if (c > 0x10ffff)
      return -1;
    execute_text_put(out, c);
  }
  return 0;
}

/* Length of the character at b, at most left; 0: none begins there. */
static size_t character(const uint8_t *b, size_t left) {
  size_t n = b[0] < 0x80 ? 1 : b[0] < 0xc2 ? 0 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : b[0] < 0xf5 ? 4 : 0;
  if (n > left)
    return 0;
  for (size_t i = 1; i < n; i++)
    if ((b[i] & 0xc0) != 0x80)
      return 0;
  bool bad = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90) || (b[0] == 0xf4 && b[1] > 0x8f);
  return n > 1 && bad ? 0 : n;
}

int execute_text_decode(const uint8_t *data, size_t len, Buf *out) {
  Encoding e = detect(data, len);
  data += e.mark;
  len -= e.mark;
  if (e.unit > 1)
    return decode_units(data, len, e, out);
  for (size_t i = 0, n; i < len; i += n)
    if ((n = character(data + i, len - i)) == 0)
      return -1;
  return buf_append(out, data, len);
}
