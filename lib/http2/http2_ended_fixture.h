/* How a session ends that met a bound, for tests with asserts; the fuzz target has the fixture without them. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_ENDED_FIXTURE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_ENDED_FIXTURE_H_

#include "lib/http2/http2_fixture.h"

/* The session ended by a GOAWAY of this code, for this reason, and owes nobody anything. */
void assert_ended(Fixture *f, uint32_t code, Http2Why why);
/* By ENHANCE_YOUR_CALM. */
void assert_calmed(Fixture *f, Http2Why why);

#endif
