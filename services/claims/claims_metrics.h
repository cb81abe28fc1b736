/* What the claims service counts, in one table; an enum value is a metric's index in it. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIMS_METRICS_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIMS_METRICS_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/metrics.h"

enum {
  CLAIMS_METRIC_RPC,
  CLAIMS_METRIC_CLAIMS,
  CLAIMS_METRIC_CLAIM_SECONDS,
  CLAIMS_METRIC_POOL_CLAIMS,
  CLAIMS_METRIC_WAITING,
  CLAIMS_METRIC_ENDED,
  CLAIMS_METRIC_WATCHES,
  CLAIMS_METRIC_POOLS,
  CLAIMS_METRIC_QUEUE,
  CLAIMS_METRIC_QUEUE_AGE,
  CLAIMS_METRIC_REFUSED,
};

extern const MetricDesc CLAIMS_METRICS[];
extern const size_t CLAIMS_N_METRICS;

/* n claims met a pool: a hit is one that had a sandbox ready at once. */
void claims_metrics_met(Metrics *metrics, const char *ns, const char *pool, bool hit, size_t n);

#endif
