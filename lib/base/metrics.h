/* Metrics, declared in one table per service or library, as Prometheus text (exposition format 0.0.4).
 *
 * A metric has at most METRICS_LABELS_MAX labels, and every value of a label is declared or registered up front or by
 * first use, at most 1024 series a metric: after that all further ones count under "other".
 * Any thread may count, and write the text. What is set is set by one thread, and counted by no other; metrics_append
 * comes before further threads.
 */
#ifndef SANDPLANE_LIB_BASE_METRICS_H_
#define SANDPLANE_LIB_BASE_METRICS_H_

#include <stddef.h>

#include "lib/base/buf.h"

typedef enum MetricType { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM } MetricType;

#define METRICS_LABELS_MAX 8

typedef struct MetricDesc {
  const char *name; /* "sandplane_claims_total" */
  MetricType type;
  const char *help;
  const char *labels[METRICS_LABELS_MAX]; /* names, NULL-terminated if fewer */
  const double *buckets;                  /* upper bounds, ascending, without +Inf; histograms only */
  size_t n_buckets;
} MetricDesc;

/* 100 us to 10 s. */
extern const double METRICS_LATENCY_BUCKETS[];
extern const size_t METRICS_N_LATENCY_BUCKETS;

typedef struct Metrics Metrics;

/* descs must outlive it; a metric is named by its index in descs. */
Metrics *metrics_new(const MetricDesc *descs, size_t n_descs);
void metrics_free(Metrics *metrics);
/* Further metrics, of a library that counts for itself; the index of the first of them. */
size_t metrics_append(Metrics *m, const MetricDesc *descs, size_t n_descs);
/* Label values in the order of the description; NULL where there is no label. */
void metrics_add(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2);
void metrics_set(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2);
void metrics_observe(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2);
/* The same for metrics with any number of labels: METRICS_LABELS_MAX values, those beyond the description's NULL. */
typedef struct MetricLabels {
  const char *values[METRICS_LABELS_MAX];
} MetricLabels;
void metrics_add_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels);
void metrics_set_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels);
/* Forgets the series of a metric: before a gauge that is counted at each scrape is set again. */
void metrics_clear(Metrics *m, size_t metric);
/* Appends all series as text. */
int metrics_write(Metrics *m, Buf *out) MUST_CHECK;

#endif
