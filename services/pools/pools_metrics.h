/* What the pools service counts, in one table; an enum value is a metric's index in it. */
#ifndef SANDPLANE_SERVICES_POOLS_POOLS_METRICS_H_
#define SANDPLANE_SERVICES_POOLS_POOLS_METRICS_H_

#include <stddef.h>

#include "lib/base/metrics.h"

enum {
  POOLS_METRIC_RPC,
  POOLS_METRIC_LEADER,
  POOLS_METRIC_ORDERED,
  POOLS_METRIC_RETIRED,
  POOLS_METRIC_REFUSED,
};

extern const MetricDesc POOLS_METRICS[];
extern const size_t POOLS_N_METRICS;

#endif
