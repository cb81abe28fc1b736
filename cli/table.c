/* See table.h. */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

struct Table {
  size_t n_columns, n_rows;
  size_t widths[TABLE_COLUMNS];
  char **cells; /* row after row */
};

Table *table_new(const char *const *heads) {
  Table *t = calloc(1, sizeof *t);
  if (!t)
    abort();
  while (heads[t->n_columns])
    t->n_columns++;
  table_row(t, heads);
  return t;
}

void table_row(Table *t, const char *const *cells) {
  t->cells = realloc(t->cells, (t->n_rows + 1) * t->n_columns * sizeof *t->cells);
  if (!t->cells)
    abort();
  for (size_t i = 0; i < t->n_columns; i++) {
    const char *cell = str_empty(cells[i]) ? "-" : cells[i];
    t->cells[t->n_rows * t->n_columns + i] = str_dup(cell);
    if (strlen(cell) > t->widths[i])
      t->widths[i] = strlen(cell);
  }
  t->n_rows++;
}

void table_print(Table *t) {
  for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
    size_t column = i % t->n_columns;
    if (column + 1 == t->n_columns)
      printf("%s\n", t->cells[i]);
    else
      printf("%-*s  ", (int)t->widths[column], t->cells[i]);
    free(t->cells[i]);
  }
  free(t->cells);
  free(t);
}

void table_age(int64_t ms, char out[16]) {
  int64_t s = ms / 1000;
  if (ms < 0)
    snprintf(out, 16, "-");
  else if (s < 120)
    snprintf(out, 16, "%llds", (long long)s);
  else if (s < 120 * 60)
    snprintf(out, 16, "%lldm", (long long)s / 60);
  else if (s < 48 * 3600)
    snprintf(out, 16, "%lldh", (long long)s / 3600);
  else
    snprintf(out, 16, "%lldd", (long long)s / 86400);
}

void table_size(int64_t bytes, char out[16]) {
  static const char *const UNITS[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes / 1024;
  size_t unit = 0;
  if (bytes < 1024) {
    snprintf(out, 16, "%lld B", (long long)bytes);
    return;
  }
  for (; value >= 1024 && unit + 1 < sizeof UNITS / sizeof *UNITS; unit++)
    value /= 1024;
  snprintf(out, 16, "%.1f %s", value, UNITS[unit]);
}
