/* See metrics.h. Series of a metric are a list in order of first use; those with labels are found by a hash of their
 * values, because some are counted on the claim path and a metric by pool has as many series as it may.
 *
 * Each thread counts in a part of its own, whose lock nobody else wants but a scrape: threads that count the same at
 * the same time would otherwise hand one cache line around. A scrape adds the parts up, into series that it keeps, so
 * that what counts under "other" does so for ever. */
#include "lib/base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
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

/* Threads beyond so many share them. */
#define PARTS 32
/* What is set, and not counted, is in this one. */
#define PART_SET 0

typedef struct Part {
  pthread_mutex_t lock;
  size_t n;
  Family *families;
  char pad[64]; /* two of them are in no cache line */
} Part;

struct Metrics {
  size_t n; /* metrics */
  Part parts[PARTS];
  Part whole; /* what a scrape has added up */
};

/* Of this thread, in all Metrics: 1 + its index; 0: it has none yet. */
static Part *my_part(Metrics *m) {
  static atomic_size_t n_threads;
  static _Thread_local size_t mine;
  if (!mine)
    mine = 1 + atomic_fetch_add(&n_threads, 1) % PARTS;
  return &m->parts[mine - 1];
}

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

static Series *lookup(Family *f, const char *const values[]) {
  const MetricDesc *d = f->desc;
  const char *l[METRICS_LABELS_MAX];
  if (!d->labels[0] && f->n_series)
    return f->series;
  for (size_t i = 0; i < METRICS_LABELS_MAX; i++)
    l[i] = values[i] ? values[i] : "";
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

static void part_append(Part *part, const MetricDesc *descs, size_t n_descs) {
  pthread_mutex_lock(&part->lock);
  part->families = xrealloc(part->families, (part->n + n_descs + 1) * sizeof *part->families);
  for (size_t i = 0; i < n_descs; i++)
    part->families[part->n++] = (Family){.desc = &descs[i]};
  pthread_mutex_unlock(&part->lock);
}

size_t metrics_append(Metrics *m, const MetricDesc *descs, size_t n_descs) {
  static const char *const NONE[METRICS_LABELS_MAX] = {NULL};
  size_t first = m->n;
  for (size_t i = 0; i < PARTS; i++)
    part_append(&m->parts[i], descs, n_descs);
  part_append(&m->whole, descs, n_descs);
  m->n += n_descs;
  /* a metric without labels is there from the start: its absence would read as "never scraped" */
  for (size_t i = 0; i < n_descs; i++)
    if (!descs[i].labels[0])
      lookup(&m->whole.families[first + i], NONE);
  return first;
}

Metrics *metrics_new(const MetricDesc *descs, size_t n_descs) {
  Metrics *m = new0(Metrics);
  for (size_t i = 0; i < PARTS; i++)
    pthread_mutex_init(&m->parts[i].lock, NULL);
  pthread_mutex_init(&m->whole.lock, NULL);
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

static void part_deinit(Part *part) {
  for (size_t i = 0; i < part->n; i++)
    forget(&part->families[i]);
  free(part->families);
  pthread_mutex_destroy(&part->lock);
}

void metrics_free(Metrics *m) {
  if (!m)
    return;
  for (size_t i = 0; i < PARTS; i++)
    part_deinit(&m->parts[i]);
  part_deinit(&m->whole);
  free(m);
}

static void part_clear(Part *part, size_t metric) {
  pthread_mutex_lock(&part->lock);
  forget(&part->families[metric]);
  pthread_mutex_unlock(&part->lock);
}

void metrics_clear(Metrics *m, size_t metric) {
  for (size_t i = 0; i < PARTS; i++)
    part_clear(&m->parts[i], metric);
  part_clear(&m->whole, metric);
}

void metrics_add_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels) {
  Part *part = my_part(m);
  pthread_mutex_lock(&part->lock);
  lookup(&part->families[metric], labels->values)->value += value;
  pthread_mutex_unlock(&part->lock);
}

void metrics_set_labels(Metrics *m, size_t metric, double value, const MetricLabels *labels) {
  Part *part = &m->parts[PART_SET];
  pthread_mutex_lock(&part->lock);
  lookup(&part->families[metric], labels->values)->value = value;
  pthread_mutex_unlock(&part->lock);
}

void metrics_add(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  metrics_add_labels(m, metric, value, &(MetricLabels){{l0, l1, l2}});
}

void metrics_set(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  metrics_set_labels(m, metric, value, &(MetricLabels){{l0, l1, l2}});
}

void metrics_observe(Metrics *m, size_t metric, double value, const char *l0, const char *l1, const char *l2) {
  Part *part = my_part(m);
  pthread_mutex_lock(&part->lock);
  Family *f = &part->families[metric];
  Series *s = lookup(f, (const char *[METRICS_LABELS_MAX]){l0, l1, l2});
  s->value += value;
  s->count++;
  for (size_t i = 0; i < f->desc->n_buckets; i++) {
    if (value > f->desc->buckets[i])
      continue;
    s->buckets[i]++;
    break;
  }
  pthread_mutex_unlock(&part->lock);
}

/* ---- A scrape ---- */

static void zero(Family *f) {
  for (size_t k = 0; k < f->n_series; k++) {
    Series *s = &f->series[k];
    s->value = 0;
    s->count = 0;
    if (s->buckets)
      memset(s->buckets, 0, f->desc->n_buckets * sizeof *s->buckets);
  }
}

static void add_up(Family *whole, const Family *part) {
  for (size_t k = 0; k < part->n_series; k++) {
    const Series *s = &part->series[k];
    Series *sum = lookup(whole, (const char *const *)s->labels);
    sum->value += s->value;
    sum->count += s->count;
    for (size_t i = 0; s->buckets && i < whole->desc->n_buckets; i++)
      sum->buckets[i] += s->buckets[i];
  }
}

static void add_up_all(Metrics *m) {
  for (size_t i = 0; i < m->whole.n; i++)
    zero(&m->whole.families[i]);
  for (size_t k = 0; k < PARTS; k++) {
    Part *part = &m->parts[k];
    pthread_mutex_lock(&part->lock);
    for (size_t i = 0; i < m->whole.n; i++)
      add_up(&m->whole.families[i], &part->families[i]);
    pthread_mutex_unlock(&part->lock);
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

static int write_family(Buf *out, const Family *f) {
  static const char *const TYPES[] = {"counter", "gauge", "histogram"};
  const MetricDesc *d = f->desc;
  int bad = buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", d->name, d->help, d->name, TYPES[d->type]);
  for (size_t k = 0; k < f->n_series; k++) {
    const Series *s = &f->series[k];
    if (d->type == METRIC_HISTOGRAM) {
      bad |= write_histogram(out, d, s);
      continue;
    }
    bad |= buf_append_str(out, d->name);
    bad |= write_labels(out, d, s, NULL);
    bad |= buf_printf(out, " %.15g\n", s->value);
  }
  return bad;
}

int metrics_write(Metrics *m, Buf *out) {
  int bad = 0;
  pthread_mutex_lock(&m->whole.lock);
  add_up_all(m);
  for (size_t i = 0; i < m->whole.n; i++)
    bad |= write_family(out, &m->whole.families[i]);
  pthread_mutex_unlock(&m->whole.lock);
  return bad ? -1 : 0;
}
