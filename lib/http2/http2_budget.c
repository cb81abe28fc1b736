/* See http2_budget.h. */
#include "lib/http2/http2_budget.h"

static bool is_earned(Http2Flood flood) {
  return flood != HTTP2_FLOOD_RESETS && flood != HTTP2_FLOOD_SETTINGS;
}

void http2_budget_init(Http2Budget *b, const Http2Rate *rates) {
  b->rates = rates;
  for (int i = 0; i < HTTP2_N_FLOODS; i++)
    b->left[i] = rates[i].burst;
}

bool http2_budget_spend(Http2Budget *b, Http2Flood flood) {
  if (b->left[flood] == 0)
    return false;
  b->left[flood]--;
  return true;
}

void http2_budget_earn(Http2Budget *b) {
  for (int i = 0; i < HTTP2_N_FLOODS; i++)
    if (is_earned((Http2Flood)i))
      b->left[i] += HTTP2_EARNED;
}

void http2_budget_grant(Http2Budget *b, Http2Flood flood) {
  b->left[flood]++;
}

void http2_budget_refill(Http2Budget *b) {
  for (int i = 0; i < HTTP2_N_FLOODS; i++) {
    const Http2Rate *rate = &b->rates[i];
    if (b->left[i] >= rate->burst)
      continue;
    b->left[i] += rate->per_second;
    if (b->left[i] > rate->burst)
      b->left[i] = rate->burst;
  }
}

bool http2_budget_is_whole(const Http2Budget *b) {
  for (int i = 0; i < HTTP2_N_FLOODS; i++)
    if (b->left[i] < b->rates[i].burst)
      return false;
  return true;
}
