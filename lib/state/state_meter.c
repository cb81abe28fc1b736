/* Calls to the store as the services' metrics show them. A call that was never sent (an argument was wrong) is not
 * counted. */
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/state/state_call.h"

enum { METRIC_CALLS, METRIC_COMMITS, METRIC_SECONDS };

/* 50 us to 5 s: a durable script is some hundred microseconds on a good disk. */
static const double BUCKETS[] = {0.00005, 0.0001, 0.0002, 0.0003, 0.0005, 0.00075, 0.001, 0.0015, 0.0025, 0.005,
                                 0.01,    0.025,  0.05,   0.1,    0.25,   0.5,     1,     2.5,    5};

static const MetricDesc METRICS[] = {
    [METRIC_CALLS] = {"sandplane_redis_calls_total",
                      METRIC_COUNTER,
                      "scripts and commands that Redis was asked to run, by what came of it",
                      {"call", "outcome"},
                      NULL,
                      0},
    [METRIC_COMMITS] = {"sandplane_redis_commits_total",
                        METRIC_COUNTER,
                        "calls that may change the state and whose answer says that the change is on disk",
                        {NULL},
                        NULL,
                        0},
    [METRIC_SECONDS] = {"sandplane_redis_round_trip_seconds",
                        METRIC_HISTOGRAM,
                        "from asking Redis to its answer, which comes when the change is on disk",
                        {NULL},
                        BUCKETS,
                        ARRAY_LEN(BUCKETS)},
};

void state_count(State *s, Metrics *metrics) {
  s->metrics = metrics;
  if (metrics)
    s->first_metric = metrics_append(metrics, METRICS, ARRAY_LEN(METRICS));
}

void state_count_with(State *s, const State *other) {
  s->metrics = other->metrics;
  s->first_metric = other->first_metric;
}

/* All others write, or may. */
static bool only_reads(const char *what) {
  static const char *const READS[] = {"get",  "pool_get", "list",   "events", "quota_get",  "quota_list",
                                      "HGET", "HGETALL",  "EXISTS", "ZRANGE", "ZRANGEBYLEX"};
  for (size_t i = 0; i < ARRAY_LEN(READS); i++)
    if (str_equal(what, READS[i]))
      return true;
  return false;
}

/* away: nobody knows whether it took place. */
static const char *outcome_of(const Error *err) {
  if (!err)
    return "ok";
  return err->kind == ERROR_UNAVAILABLE || err->kind == ERROR_CANCELLED ? "away" : "error";
}

void state_meter(StateCall *call, const Error *err) {
  const State *s = call->s;
  if (call->sent_us == 0)
    return;
  metrics_add(s->metrics, s->first_metric + METRIC_CALLS, 1, call->what, outcome_of(err), NULL);
  if (!err && !only_reads(call->what))
    metrics_add(s->metrics, s->first_metric + METRIC_COMMITS, 1, NULL, NULL, NULL);
  if (!err)
    metrics_observe(s->metrics, s->first_metric + METRIC_SECONDS, (double)(clock_mono_us() - call->sent_us) / 1e6, NULL,
                    NULL, NULL);
}
