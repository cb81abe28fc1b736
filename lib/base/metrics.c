/* See metrics.h. Series of a metric are a list in order of first use; those with labels are found by a hash of their
 * values, because some are counted on the claim path and a metric by pool has as many series as it may. */
#include "lib/base/metrics.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* A label that takes values from outside (a namespace, say) must not fill the memory. */
#define SERIES_MAX 1024
#define SLOTS ((size_t)4 * SERIES_MAX)
#define OTHER "other"

const double METRICS_LATENCY_BUCKETS[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                          0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
const size_t METRICS_N_LATENCY_BUCKETS = ARRAY_LEN(METRICS_LATENCY_BUCKETS);

typedef struct Series {
  char *labels[METRICS_LABELS_MAX];
  double value; /* counter, gauge; sum of a histogram */
  uint64_t count;
  uint64_t *buckets; /* not cumulative; histograms only */
} Series;

typedef struct Family {
  const MetricDesc *desc;
  Series *series;
  size_t n_series;
  uint16_t *slots; /* open addressing: 1 + index in series; 0: free */
} Family;

struct Metrics {
  size_t n;
  Family *families;
};

static bool same(const MetricDesc *d, const Series *s, const char *const l[]) {
  for (size_t i = 0; i < METRICS_LABELS_MAX && d->labels[i]; i++)
    if (strcmp(s->labels[i], l[i]) != 0)
      return false;
  return true;
}

/* The slot of these values: the one that has them, or the free one that is theirs. */
static uint16_t *find_slot(const Family *f, const char *const l[]) {
  uint32_t hash = 0;
  for (size_t i = 0; i < METRICS_LABELS_MAX && f->desc->labels[i]; i++)
    hash = hash * 31 + str_fnv1a32(l[i], strlen(l[i]));
  for (size_t i = hash % SLOTS;; i = (i + 1) % SLOTS)
    if (!f->slots[i] || same(f->desc, &f->series[f->slots[i] - 1], l))
      return &f->slots[i];
}

static Series *lookup(Metrics *m, size_t metric, const MetricLabels *labels) {
  Family *f = &m->families[metric];
  const MetricDesc *d = f->desc;
  const char *l[METRICS_LABELS_MAX];
  if (!d->labels[0] && f->n_series)
    return f->series;
  for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
    l[i] = labels->values[i] ? labels->values[i] : "";
  if (!f->slots)
    f->slots = xcalloc(SLOTS, sizeof *f->slots);
  uint16_t *slot = find_slot(f, l);
  if (!*slot && f->n_series >= SERIES_MAX - 1) {
    for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
      l[i] = d->labels[i] ? OTHER : "";
    slot = find_slot(f, l);
  }
  if (*slot)
    return &f->series[*slot - 1];
  f->series = xrealloc(f->series, (f->n_series + 1) * sizeof *f->series);
  Series *s = &f->series[f->n_series++];
  *slot = (uint16_t)f->n_series;
  *s = (Series){.buckets = d->type == METRIC_HISTOGRAM ? xcalloc(d->n_buckets, sizeof(uint64_t)) : NULL};
  for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
    s->labels[i] = str_dup(l[i]);
  return s;
}

size_t metrics_append(Metrics *m, const MetricDesc *descs, size_t n_descs) {
  size_t first = m->n;
  m->families = xrealloc(m->families, (m->n + n_descs + 1) * sizeof *m->families);
  for (size_t i = 0; i < n_descs; i++) {
    m->families[m->n++] = (Family){.desc = &descs[i]};
    /* a metric without labels is there from the start: its absence would read as "never scraped" */
    if (!descs[i].labels[0])
      lookup(m, first + i, &(MetricLabels){{NULL}});
  }
  return first;
}

Metrics *metrics_new(const MetricDesc *descs, size_t n_descs) {
  Metrics *m = xcalloc(1, sizeof *m);
  metrics_append(m, descs, n_descs);
  return m;
}

static void forget(Family *f) {
  for (size_t k = 0; k < f->n_series; k++) {
    for (size_t l = 0; l < METRICS_LABELS_MAX; l++)
      free(f->series[k].labels[l]);
    free(f->series[k].buckets);
  }
  free(f->series);
  free(f->slots);
  *f = (Family){.desc = f->desc};
}

void metrics_free(Metrics *m) {
  if (!m)
    return;
  for (size_t i = 0; i < m->n; i++)
    forget(&m->families[i]);
  free(m->families);
  free(m);
}

void metrics_clear(Metrics *m, size_t metric) {
  forget(&m->families[metric]);
}

void metrics_add_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels) {
  lookup(m, metric, labels)->value += value;
}

void metrics_set_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels) {
  lookup(m, metric, labels)->value = value;
}

void metrics_add(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  metrics_add_labels(m, metric, value, &(MetricLabels){{l0, l1, l2}});
}

void metrics_set(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  metrics_set_labels(m, metric, value, &(MetricLabels){{l0, l1, l2}});
}

void metrics_observe(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  const MetricDesc *d = m->families[metric].desc;
  Series *s = lookup(m, metric, &(MetricLabels){{l0, l1, l2}});
  s->value += value;
  s->count++;
  for (size_t i = 0; i < d->n_buckets; i++) {
    if (value > d->buckets[i])
      continue;
    s->buckets[i]++;
    break;
  }
}

static int write_label_value(Buf *out, const char *s) {
  int bad = 0;
  for (; *s; s++) {
    if (*s == '\\' || *s == '"')
      bad |= buf_printf(out, "\\%c", *s);
    else if (*s == '\n')
      bad |= buf_append_str(out, "\\n");
    else
      bad |= buf_append(out, s, 1);
  }
  return bad;
}

/* le: value of a histogram's own label, NULL without it. */
static int write_labels(Buf *out, const MetricDesc *d, const Series *s, const char *le) {
  int bad = 0;
  const char *sep = "{";
  for (size_t i = 0; i < METRICS_LABELS_MAX && d->labels[i]; i++, sep = ",") {
    bad |= buf_printf(out, "%s%s=\"", sep, d->labels[i]);
    bad |= write_label_value(out, s->labels[i]);
    bad |= buf_append_str(out, "\"");
  }
  if (le) {
    bad |= buf_printf(out, "%sle=\"%s\"", sep, le);
    sep = ",";
  }
  return *sep == ',' ? bad | buf_append_str(out, "}") : bad;
}

static int write_histogram(Buf *out, const MetricDesc *d, const Series *s) {
  int bad = 0;
  uint64_t sum = 0;
  char le[32];
  for (size_t i = 0; i <= d->n_buckets; i++) {
    bool inf = i == d->n_buckets;
    sum = inf ? s->count : sum + s->buckets[i];
    snprintf(le, sizeof le, inf ? "+Inf" : "%g", inf ? 0.0 : d->buckets[i]);
    bad |= buf_printf(out, "%s_bucket", d->name);
    bad |= write_labels(out, d, s, le);
    bad |= buf_printf(out, " %llu\n", (unsigned long long)sum);
  }
  bad |= buf_printf(out, "%s_sum", d->name);
  bad |= write_labels(out, d, s, NULL);
  bad |= buf_printf(out, " %.9g\n%s_count", s->value, d->name);
  bad |= write_labels(out, d, s, NULL);
  return bad | buf_printf(out, " %llu\n", (unsigned long long)s->count);
}

int metrics_write(const Metrics *m, Buf *out) {
  static const char *const TYPES[] = {"counter", "gauge", "histogram"};
  int bad = 0;
  for (size_t i = 0; i < m->n; i++) {
    const MetricDesc *d = m->families[i].desc;
    bad |= buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name, TYPES[d->type]);
    for (size_t k = 0; k < m->families[i].n_series; k++) {
      const Series *s = &m->families[i].series[k];
      if (d->type == METRIC_HISTOGRAM) {
        bad |= write_histogram(out, d, s);
        continue;
      }
      bad |= buf_append_str(out, d->name);
      bad |= write_labels(out, d, s, NULL);
      bad |= buf_printf(out, " %.15g\n", s->value);
    }
  }
  return bad ? -1 : 0;
}
