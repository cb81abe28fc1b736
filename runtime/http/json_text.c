/* See json_text.h. */
#include "runtime/http/json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char REPLACEMENT[] = "\xef\xbf\xbd";

static void note(JsonText *t, uint64_t from, size_t n, uint8_t first, const char *why) {
  if (*t->error)
    return;
  if (n == 1)
    snprintf(t->error, sizeof t->error, "'utf-8' codec can't decode byte 0x%02x in position %llu: %s", first,
             (unsigned long long)from, why);
  else
    snprintf(t->error, sizeof t->error, "'utf-8' codec can't decode bytes in position %llu-%llu: %s",
             (unsigned long long)from, (unsigned long long)(from + n - 1), why);
}

static int escape(Buf *out, uint8_t c) {
  static const struct {
    char c, letter;
  } SHORT[] = {{'"', '"'}, {'\\', '\\'}, {'\n', 'n'}, {'\t', 't'}, {'\r', 'r'}, {'\b', 'b'}, {'\f', 'f'}};
  for (size_t i = 0; i < ARRAY_LEN(SHORT); i++)
    if (c == (uint8_t)SHORT[i].c)
      return buf_append(out, (char[]){'\\', SHORT[i].letter}, 2);
  return buf_printf(out, "\\u%04x", c);
}

static bool is_plain(uint8_t c) {
  return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

/* The first byte of a character of several (RFC 3629, table in section 4). False: none begins so. */
static bool begin(JsonText *t, uint8_t c) {
  if (c < 0xc2 || c > 0xf4)
    return false;
  t->part[0] = c;
  t->n_part = 1;
  t->n_whole = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  t->low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
  t->high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
  return true;
}

static int replace_part(JsonText *t, const char *why, Buf *out) {
  note(t, t->at - t->n_part, t->n_part, t->part[0], why);
  t->n_part = 0;
  return buf_append_str(out, REPLACEMENT);
}

/* One byte that is not plain, or one within a character. */
static int take(JsonText *t, uint8_t c, Buf *out) {
  if (t->n_part) {
    if (c >= t->low && c <= t->high) {
      t->part[t->n_part++] = c;
      t->low = 0x80;
      t->high = 0xbf;
      bool whole = t->n_part == t->n_whole;
      t->n_part = whole ? 0 : t->n_part;
      return whole ? buf_append(out, t->part, t->n_whole) : 0;
    }
    if (replace_part(t, "invalid continuation byte", out))
      return -1;
  }
  if (is_plain(c))
    return buf_append(out, &c, 1);
  if (c < 0x80)
    return t->plain ? buf_append(out, &c, 1) : escape(out, c);
  if (begin(t, c))
    return 0;
  note(t, t->at, 1, c, "invalid start byte");
  return buf_append_str(out, REPLACEMENT);
}

static int feed(JsonText *t, const uint8_t *data, size_t len, bool lines, Buf *out) {
  for (size_t i = 0; i < len;) {
    size_t n = 0;
    while (!t->n_part && i + n < len && is_plain(data[i + n]))
      n++;
    if (n) {
      if (buf_append(out, data + i, n))
        return -1;
      t->cr = false;
    } else {
      uint8_t c = data[i];
      bool second = lines && c == '\n' && t->cr; /* of "\r\n" */
      t->cr = c == '\r';
      if (!second && take(t, lines && c == '\r' ? '\n' : c, out))
        return -1;
      n = 1;
    }
    i += n;
    t->at += n;
  }
  return 0;
}

int json_text_feed(JsonText *t, const uint8_t *data, size_t len, Buf *out) {
  return feed(t, data, len, true, out);
}

int json_text_end(JsonText *t, Buf *out) {
  return t->n_part ? replace_part(t, "unexpected end of data", out) : 0;
}

static char *whole(const char *s, bool plain) {
  JsonText t = {.plain = plain};
  Buf out = BUF_INIT(0);
  const char *quote = plain ? "" : "\"";
  if (buf_append_str(&out, quote) || feed(&t, (const uint8_t *)s, strlen(s), false, &out) || json_text_end(&t, &out) ||
      buf_append_str(&out, quote))
    abort(); /* names and messages are short */
  return (char *)out.data;
}

char *json_text_quote(const char *s) {
  return whole(s, false);
}

char *json_text_repair(const char *s) {
  return whole(s, true);
}
