/* The text is that of Prometheus' exposition format, to the byte; label values cannot grow it without end. */
#include "lib/base/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/test.h"

enum { CALLS, DEPTH, SECONDS, PLAIN_SECONDS, WIDE, N_METRICS };

static const double BUCKETS[] = {0.001, 0.5, 10};
static const MetricDesc DESCS[N_METRICS] = {
    [CALLS] = {"calls_total", METRIC_COUNTER, "Calls.", {"method", "code"}, NULL, 0},
    [DEPTH] = {"depth", METRIC_GAUGE, "Depth now.", {NULL}, NULL, 0},
    [SECONDS] = {"seconds", METRIC_HISTOGRAM, "Time.", {"method"}, BUCKETS, ARRAY_LEN(BUCKETS)},
    [PLAIN_SECONDS] = {"plain_seconds", METRIC_HISTOGRAM, "Time.", {NULL}, BUCKETS, 1},
    [WIDE] = {"wide", METRIC_GAUGE, "Many.", {"a", "b", "c", "d", "e", "f", "g"}, NULL, 0},
};

static int setup(void **state) {
  *state = metrics_new(DESCS, N_METRICS);
  return 0;
}

static int teardown(void **state) {
  metrics_free(*state);
  return 0;
}

static void check_text(Metrics *m, const char *wanted) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(m, &out), 0);
  assert_string_equal(buf_str(&out), wanted);
}

static void from_the_start(void **state) {
  check_text(*state, "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
                     "# HELP depth Depth now.\n# TYPE depth gauge\ndepth 0\n"
                     "# HELP seconds Time.\n# TYPE seconds histogram\n"
                     "# HELP plain_seconds Time.\n# TYPE plain_seconds histogram\n"
                     "plain_seconds_bucket{le=\"0.001\"} 0\nplain_seconds_bucket{le=\"+Inf\"} 0\n"
                     "plain_seconds_sum 0\nplain_seconds_count 0\n"
                     "# HELP wide Many.\n# TYPE wide gauge\n");
}

static void values(void **state) {
  Metrics *m = *state;
  metrics_add(m, CALLS, 1, "Get", "OK", NULL);
  metrics_add(m, CALLS, 2, "Get", "OK", NULL);
  metrics_add(m, CALLS, 1, "Get", NULL, NULL);
  metrics_set(m, DEPTH, 7, NULL, NULL, NULL);
  metrics_set(m, DEPTH, -2.5, NULL, NULL, NULL);
  /* a bound belongs to its own bucket */
  metrics_observe(m, SECONDS, 0.001, "Get", NULL, NULL);
  metrics_observe(m, SECONDS, 0.25, "Get", NULL, NULL);
  metrics_observe(m, SECONDS, 11, "Get", NULL, NULL);
  check_text(m, "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
                "calls_total{method=\"Get\",code=\"OK\"} 3\ncalls_total{method=\"Get\",code=\"\"} 1\n"
                "# HELP depth Depth now.\n# TYPE depth gauge\ndepth -2.5\n"
                "# HELP seconds Time.\n# TYPE seconds histogram\n"
                "seconds_bucket{method=\"Get\",le=\"0.001\"} 1\nseconds_bucket{method=\"Get\",le=\"0.5\"} 2\n"
                "seconds_bucket{method=\"Get\",le=\"10\"} 2\nseconds_bucket{method=\"Get\",le=\"+Inf\"} 3\n"
                "seconds_sum{method=\"Get\"} 11.251\nseconds_count{method=\"Get\"} 3\n"
                "# HELP plain_seconds Time.\n# TYPE plain_seconds histogram\n"
                "plain_seconds_bucket{le=\"0.001\"} 0\nplain_seconds_bucket{le=\"+Inf\"} 0\n"
                "plain_seconds_sum 0\nplain_seconds_count 0\n"
                "# HELP wide Many.\n# TYPE wide gauge\n");
}

static void escapes(void **state) {
  metrics_add(*state, CALLS, 1, "a\"b\\c\nd", "\xc3\xa9", NULL);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(*state, &out), 0);
  assert_contains(buf_str(&out), "calls_total{method=\"a\\\"b\\\\c\\nd\",code=\"\xc3\xa9\"} 1\n");
}

static void large_counter(void **state) {
  for (int i = 0; i < 3; i++)
    metrics_add(*state, CALLS, 123456789012.0, "m", "c", NULL);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(*state, &out), 0);
  assert_contains(buf_str(&out), "calls_total{method=\"m\",code=\"c\"} 370370367036\n");
}

static void series_are_bounded(void **state) {
  char label[16];
  for (int round = 0; round < 2; round++)
    for (int i = 0; i < 2000; i++) {
      snprintf(label, sizeof label, "m%d", i);
      metrics_add(*state, CALLS, 1, label, "OK", NULL);
    }
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(*state, &out), 0);
  size_t n = 0;
  for (const char *s = buf_str(&out); (s = strstr(s, "\ncalls_total{")); s++)
    n++;
  assert_int_equal(n, 1024);
  /* nothing is lost: what has no series of its own counts under "other" */
  assert_contains(buf_str(&out), "calls_total{method=\"m1022\",code=\"OK\"} 2\n");
  assert_lacks(buf_str(&out), "m1023");
  assert_contains(buf_str(&out), "calls_total{method=\"other\",code=\"other\"} 1954\n");
}

static void seven_labels_and_forgetting(void **state) {
  Metrics *m = *state;
  metrics_set_labels(m, WIDE, 3, &(MetricLabels){{"1", "2", "3", "4", "5", "6", "7"}});
  metrics_add_labels(m, WIDE, 2, &(MetricLabels){{"1", "2", "3", "4", "5", "6", "7"}});
  metrics_add_labels(m, WIDE, 1, &(MetricLabels){{"1", "2", "3", "4", "5", "6", "8"}});
  metrics_add(m, WIDE, 9, "1", "2", "3");
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(m, &out), 0);
  assert_contains(buf_str(&out), "wide gauge\n"
                                 "wide{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\",f=\"6\",g=\"7\"} 5\n"
                                 "wide{a=\"1\",b=\"2\",c=\"3\",d=\"4\",e=\"5\",f=\"6\",g=\"8\"} 1\n"
                                 "wide{a=\"1\",b=\"2\",c=\"3\",d=\"\",e=\"\",f=\"\",g=\"\"} 9\n");
  metrics_clear(m, WIDE);
  metrics_clear(m, SECONDS);
  metrics_add(m, WIDE, 1, "x", NULL, NULL);
  CLEANUP(buf_deinit) Buf again = BUF_INIT(0);
  assert_int_equal(metrics_write(m, &again), 0);
  assert_contains(buf_str(&again), "wide gauge\nwide{a=\"x\"");
  assert_lacks(buf_str(&again), "a=\"1\"");
}

static void of_a_library(void **state) {
  static const MetricDesc MORE[] = {{"trips_total", METRIC_COUNTER, "Trips.", {NULL}, NULL, 0},
                                    {"by_kind", METRIC_GAUGE, "Kinds.", {"kind"}, NULL, 0}};
  Metrics *m = *state;
  size_t first = metrics_append(m, MORE, ARRAY_LEN(MORE));
  assert_int_equal(first, N_METRICS);
  metrics_add(m, first, 2, NULL, NULL, NULL);
  metrics_set(m, first + 1, 3, "a", NULL, NULL);
  metrics_set(m, DEPTH, 1, NULL, NULL, NULL);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(m, &out), 0);
  assert_contains(buf_str(&out), "\ndepth 1\n");
  assert_contains(buf_str(&out), "counter\ntrips_total 2\n# HELP by_kind Kinds.\n# TYPE by_kind gauge\n"
                                 "by_kind{kind=\"a\"} 3\n");
}

enum { THREADS = 40, ROUNDS = 2000 }; /* more threads than have a part of their own */

static void *count_much(void *m) {
  for (int i = 0; i < ROUNDS; i++) {
    metrics_add(m, CALLS, 1, "Get", i % 2 ? "OK" : "NO", NULL);
    metrics_add(m, DEPTH, i % 2 ? -1 : 1, NULL, NULL, NULL);
    metrics_observe(m, SECONDS, i % 2 ? 0.25 : 11, "Get", NULL, NULL);
  }
  return NULL;
}

static void of_several_threads(void **state) {
  Metrics *m = *state;
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, count_much, m), 0);
  for (size_t i = 0; i < 20; i++) {
    CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
    assert_int_equal(metrics_write(m, &out), 0);
  }
  for (size_t i = 0; i < THREADS; i++)
    pthread_join(threads[i], NULL);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(0);
  assert_int_equal(metrics_write(m, &out), 0);
  assert_contains(buf_str(&out), "calls_total{method=\"Get\",code=\"OK\"} 40000\n");
  assert_contains(buf_str(&out), "calls_total{method=\"Get\",code=\"NO\"} 40000\n");
  assert_contains(buf_str(&out), "\ndepth 0\n");
  assert_contains(buf_str(&out), "seconds_bucket{method=\"Get\",le=\"0.5\"} 40000\n");
  assert_contains(buf_str(&out), "seconds_count{method=\"Get\"} 80000\n");
}

static void does_not_fit(void **state) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(100);
  assert_int_equal(metrics_write(*state, &out), -1);
}

static void latency_buckets(void **state) {
  for (size_t i = 1; i < METRICS_N_LATENCY_BUCKETS; i++)
    assert_true(METRICS_LATENCY_BUCKETS[i - 1] < METRICS_LATENCY_BUCKETS[i]);
  metrics_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(from_the_start),
      TEST(values),
      TEST(escapes),
      TEST(large_counter),
      TEST(series_are_bounded),
      TEST(seven_labels_and_forgetting),
      TEST(of_a_library),
      TEST(of_several_threads),
      TEST(does_not_fit),
      cmocka_unit_test(latency_buckets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
