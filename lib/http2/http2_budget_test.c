/* What a peer may send, what time gives back and what work does. */
#include "lib/base/test.h"
#include "lib/http2/http2_budget.h"

static const Http2Rate RATES[HTTP2_N_FLOODS] = {{3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}, {3, 2}};

static int spend_all(Http2Budget *b, Http2Flood flood) {
  int n = 0;
  while (http2_budget_spend(b, flood))
    n++;
  return n;
}

static void test_a_burst_and_what_comes_back(void **state) {
  Http2Budget b;
  http2_budget_init(&b, RATES);
  assert_true(http2_budget_is_whole(&b));
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_PINGS), 3);
  assert_false(http2_budget_is_whole(&b));
  http2_budget_refill(&b);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_PINGS), 2);
  for (int i = 0; i < 10; i++)
    http2_budget_refill(&b);
  assert_true(http2_budget_is_whole(&b));
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_PINGS), 3);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_SETTINGS), 3);
}

static void test_work_earns_what_answers_it(void **state) {
  Http2Budget b;
  http2_budget_init(&b, RATES);
  for (int i = 0; i < 1000; i++)
    http2_budget_earn(&b);
  http2_budget_refill(&b);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_WINDOW_UPDATES), 3 + 1000 * HTTP2_EARNED);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_PINGS), 3 + 1000 * HTTP2_EARNED);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_RESETS), 3);
  assert_int_equal(spend_all(&b, HTTP2_FLOOD_SETTINGS), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_burst_and_what_comes_back),
      cmocka_unit_test(test_work_earns_what_answers_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
