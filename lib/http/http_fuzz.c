/* HTTP heads and bodies, both directions. A connection may be cut anywhere, so what a reader makes of bytes must not
 * depend on how they arrive: each input is fed whole and piece by piece, and both must tell the same.
 *
 * The first byte: bit 0 responses, bit 1 the first answers a HEAD, the rest the size of the pieces.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/http/http_reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was told, as one text; body pieces are joined. */
typedef struct Told {
  Buf text;
  bool upgraded;
} Told;

static void say(Told *t, const char *what, const void *data, size_t len) {
  if (buf_append_str(&t->text, what) || buf_append(&t->text, data, len))
    abort();
}

static void say_text(Told *t, const char *what, const char *text) {
  say(t, what, text ? text : "", text ? strlen(text) : 0);
}

static bool on_head(void *arg, const HttpHead *head) {
  Told *t = arg;
  say_text(t, "\nhead ", head->method);
  say_text(t, " ", head->target);
  if (buf_printf(&t->text, " %d %d %d %d %d %d %lld", head->status, head->minor_version, head->keep_alive,
                 head->upgrade, head->chunked, head->no_body, (long long)head->content_length))
    abort();
  for (size_t i = 0; i < head->n_headers; i++) {
    say_text(t, "\n", head->headers[i].name);
    say_text(t, ": ", head->headers[i].value);
    if (!http_head_get(head, head->headers[i].name) || http_head_count(head, head->headers[i].name) == 0)
      abort();
    http_list_has_token(head->headers[i].value, "close");
  }
  /* what would let a request in through a proxy that reads it in another way; of an answer the coding counts */
  if (head->method && head->chunked && http_head_count(head, "Content-Length") > 0)
    abort();
  if (head->chunked && !head->no_body && head->content_length >= 0)
    abort();
  if (http_head_count(head, "Content-Length") > 1)
    abort();
  http_status_text(head->status);
  t->upgraded = head->upgrade;
  say_text(t, "\n", "");
  return !head->upgrade;
}

static void on_body(void *arg, const uint8_t *data, size_t len) {
  say(arg, "", data, len);
}

static void on_trailer(void *arg, const HttpHeader *field) {
  say_text(arg, "\ntrailer ", field->name);
  say_text(arg, ": ", field->value);
}

static void on_end(void *arg) {
  say_text(arg, "\nend", "");
}

static void read_all(Told *t, uint8_t flags, const uint8_t *data, size_t len, size_t piece) {
  static const HttpReaderHandlers HANDLERS = {on_head, on_body, on_trailer, on_end};
  *t = (Told){.text = BUF_INIT(8 << 20)};
  HttpReader *r = http_reader_new(flags & 1 ? HTTP_RESPONSES : HTTP_REQUESTS, &HANDLERS, t);
  if ((flags & 3) == 3)
    http_reader_expect_no_body(r);
  Error err;
  int rc = 0;
  size_t at = 0;
  while (at < len && !t->upgraded) {
    size_t n = len - at < piece ? len - at : piece, used = 0;
    /* to the end of the piece: feed stops behind each message */
    for (size_t done = 0; done < n && !t->upgraded; done += used) {
      rc = http_reader_feed(r, data + at + done, n - done, &used, &err);
      if (rc != 0)
        break;
      if (used > n - done || (used == 0 && !t->upgraded))
        abort();
    }
    if (rc != 0)
      break;
    at += n;
  }
  if (rc == 0 && !t->upgraded)
    rc = http_reader_eof(r, &err);
  if (buf_printf(&t->text, "\nrc %d exact %d", rc, http_reader_is_exact(r)))
    abort();
  http_reader_free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 256 << 10)
    return 0;
  Told whole, pieces;
  read_all(&whole, data[0], data + 1, size - 1, size);
  read_all(&pieces, data[0], data + 1, size - 1, (size_t)(data[0] >> 2) + 1);
  if (whole.text.len != pieces.text.len || memcmp(whole.text.data, pieces.text.data, whole.text.len) != 0)
    abort();
  buf_deinit(&whole.text);
  buf_deinit(&pieces.text);
  return 0;
}
