/* What a server may send, against a client's session with requests under way.
 *
 * The first byte: bits 0 and 1 how many requests, bit 2 takes no bodies, bit 3 resets the first in between, bit 4 a
 * request has a body, bit 5 time passes at the end, bits 6 and 7 the size of the pieces. SETTINGS come first.
 */
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/http2/http2_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds) {
  if (!holds)
    abort();
}

static void check(Fixture *f) {
  size_t open = 0;
  LIST_EACH(Ask, a, &f->asks, link) {
    must(a->closes <= 1);
    must(!a->stream || a->closes == 0);
    must(a->status == 0 || (a->status >= 200 && a->status <= 999));
    /* nothing was done of it, so nothing was told */
    must(a->closes == 0 || a->code != HTTP2_NO_ERROR || a->ended);
    must(f->takes || a->body.len <= HTTP2_CLIENT_DEFAULTS.stream_window);
    must(strlen(buf_str(&a->head)) == a->head.len);
    open += a->stream != NULL;
  }
  must(f->overs <= 1);
  must(f->server || open == 0);
  must(!f->server || open <= http2_session_streams(f->server));
}

static void ask(Fixture *f, uint8_t flags) {
  for (int i = 0; i <= (flags & 3) && http2_client_has_room(f->server); i++)
    fixture_ask(f, "/", flags & 16 ? "body" : NULL);
  fixture_settle(f);
}

static void act(Fixture *f, uint8_t flags) {
  Ask *a = list_is_empty(&f->asks) ? NULL : CONTAINER_OF(list_first(&f->asks), Ask, link);
  if (!(flags & 8) || !a || !a->stream)
    return;
  http2_stream_reset(a->stream, HTTP2_CANCEL);
  a->stream = NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const size_t PIECES[] = {SIZE_MAX, 1000, 37, 9};
  if (size < 1 || size > 64 << 10)
    return 0;
  uint8_t flags = data[0];
  size_t piece = PIECES[flags >> 6];
  Fixture *f = fixture_new_client(NULL);
  f->takes = !(flags & 4);
  raw_greet(f, -1);
  ask(f, flags);
  for (size_t at = 1; at < size && f->server;) {
    size_t n = size - at < piece ? size - at : piece;
    raw_send(f, data + at, n);
    at += n;
    if (at > size / 2)
      act(f, flags);
    /* not after each of the many small ones */
    if (n > 100 || at % 16 == 0)
      fixture_settle(f);
  }
  fixture_settle(f);
  check(f);
  if (f->server)
    ask(f, flags);
  check(f);
  if (flags & 32)
    fixture_pass_time(f, 10 * HTTP2_CLIENT_DEFAULTS.stall_ms);
  check(f);
  fixture_free(f);
  return 0;
}
