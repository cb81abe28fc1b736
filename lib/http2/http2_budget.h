/* How many frames of each kind a peer may still send. No I/O, no clock: whoever has one calls refill each second. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_BUDGET_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_BUDGET_H_

#include <stdbool.h>

#include "lib/base/compiler.h"
#include "lib/http2/http2_config.h"

typedef struct Http2Budget {
  const Http2Rate *rates; /* HTTP2_N_FLOODS of them, the caller's */
  uint64_t left[HTTP2_N_FLOODS];
} Http2Budget;

void http2_budget_init(Http2Budget *budget, const Http2Rate *rates);
/* One frame; false: there was none left. */
bool http2_budget_spend(Http2Budget *budget, Http2Flood flood) MUST_CHECK;
/* Something real was done for the peer. What is earned has no maximum: an answer may be sent long before it is
 * acknowledged. */
void http2_budget_earn(Http2Budget *budget);
/* One frame of this kind is due to the peer. */
void http2_budget_grant(Http2Budget *budget, Http2Flood flood);
/* A second has passed. */
void http2_budget_refill(Http2Budget *budget);
/* Whether refill would do nothing. */
bool http2_budget_is_whole(const Http2Budget *budget);

#endif
