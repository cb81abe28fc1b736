/* What a peer may send, against a session with an owner that does this and that.
 *
 * The first byte: bit 0 no preface before the rest, bit 1 the owner answers, bit 2 takes no bodies, bit 3 resets every
 * other stream, bit 4 drains, bit 5 time passes at the end, bits 6 and 7 the size of the pieces.
 */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/http2/http2_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds)
    abort();
}

/* Of a request that was told: what would be another request to a program behind HTTP/1.1 is not in it. */
static void check_head(const Buf *head) {
  const char *text = buf_str(head), *line = text;
  must(strlen(text) == head->len && !strchr(text, '\r'));
  size_t first = strcspn(text, "\n");
  int blanks = 0;
  for (size_t i = 0; i < first; i++)
    blanks += text[i] == ' ';
  must(blanks == 3);
  while ((line = strchr(line, '\n')) && *++line) {
    must(strstr(line, ": ") && *line != ':');
    for (const char *c = line; *c != ':'; c++)
      must(*c != ' ' && *c != '\n' && !(*c >= 'A' && *c <= 'Z'));
    must(strncmp(line, "connection:", 11) != 0 && strncmp(line, "transfer-encoding:", 18) != 0);
  }
}

static void check(Fixture *f) {
  size_t open = 0;
  LIST_EACH(Request, r, &f->requests, link) {
    check_head(&r->head);
    must(r->closes <= 1);
    must(!r->stream || r->closes == 0);
    must(f->takes || r->shown <= HTTP2_DEFAULTS.stream_window);
    open += r->stream != NULL;
  }
  must(f->overs <= 1);
  if (!f->server) {
    must(open == 0);
    return;
  }
  must(open <= http2_session_streams(f->server) && open <= HTTP2_DEFAULTS.max_streams);
  must(http2_session_kept(f->server) <= HTTP2_DEFAULTS.max_kept + (200 << 10));
}

static void act(Fixture *f, uint8_t flags) {
  if (f->server && flags & 16)
    http2_session_drain(f->server);
  if (!(flags & 8))
    return;
  LIST_EACH(Request, r, &f->requests, link) {
    if (!r->stream || r->id % 4 != 1)
      continue;
    http2_stream_reset(r->stream, HTTP2_CANCEL);
    r->stream = NULL;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t PIECES[] = {SIZE_MAX, 1000, 37, 9};
  if (size < 1 || size > 64 << 10)
    return 0;
  uint8_t flags = data[0];
  size_t piece = PIECES[flags >> 6];
  Fixture *f = fixture_new(NULL);
  f->answers = flags & 2;
  f->takes = !(flags & 4);
  if (!(flags & 1))
    raw_send(f, HTTP2_PREFACE, HTTP2_PREFACE_LEN);
  for (size_t at = 1; at < size && f->server;) {
    size_t n = size - at < piece ? size - at : piece;
    raw_send(f, data + at, n);
    at += n;
    /* not after each of the many small ones */
    if (n > 100 || at % 16 == 0)
      fixture_settle(f);
  }
  fixture_settle(f);
  check(f);
  act(f, flags);
  fixture_settle(f);
  check(f);
  if (flags & 32)
    fixture_pass_time(f, 10 * HTTP2_DEFAULTS.idle_ms);
  check(f);
  fixture_free(f);
  return 0;
}
