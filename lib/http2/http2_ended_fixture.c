/* See http2_ended_fixture.h. */
#include "lib/http2/http2_ended_fixture.h"

#include "lib/base/test.h"

void assert_ended(Fixture *f, uint32_t code, Http2Why why) {
  int64_t said = raw_goaway(f);
  if (f->server)
    fixture_pass_time(f, HTTP2_DEFAULTS.farewell_ms);
  assert_int_equal(said, code);
  assert_int_equal(f->overs, 1);
  assert_string_equal(http2_why_name(f->why), http2_why_name(why));
  LIST_EACH(Request, r, &f->requests, link) assert_int_equal(r->closes, 1);
}

void assert_calmed(Fixture *f, Http2Why why) {
  assert_ended(f, NGHTTP2_ENHANCE_YOUR_CALM, why);
}
