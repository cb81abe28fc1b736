/* See table.h. */
#include "cli/text/table.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

struct Table {
  size_t n_columns, n_rows;
  size_t widths[TABLE_COLUMNS];
  char **cells; /* row after row */
};

Table *table_new(const char *const *heads) {
  Table *t = new0(Table);
  while (heads[t->n_columns])
    t->n_columns++;
  table_row(t, heads);
  return t;
}

/* Columns of a terminal, with one for every code point. */
static size_t width_of(const char *cell) {
  size_t n = 0;
  for (; *cell; cell++)
    n += (*cell & 0xc0) != 0x80;
  return n;
}

/* Bytes at c of a character that turns the direction of those after it, or ends a line: U+061C, U+200E and F, U+2028 to
 * U+202E, U+2066 to U+2069. 0: another. */
static size_t turning(const unsigned char *c) {
  if (c[0] == 0xd8 && c[1] == 0x9c)
    return 2;
  if (c[0] != 0xe2 || (c[1] != 0x80 && c[1] != 0x81))
    return 0;
  bool turns =
      c[1] == 0x80 ? c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae) : c[2] >= 0xa6 && c[2] <= 0xa9;
  return turns ? 3 : 0;
}

void table_printable(char *text) {
  for (unsigned char *c = (unsigned char *)text; *c; c++) {
    size_t n = turning(c);
    if (n) {
      memset(c, '?', n);
      c += n - 1;
      continue;
    }
    if (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0) { /* U+0080 to U+009F */
      *c++ = '?';
      *c = '?';
    } else if (*c < ' ' || *c == 0x7f) {
      *c = '?';
    }
  }
}

void table_row(Table *t, const char *const *cells) {
  t->cells = xreallocarray(t->cells, (t->n_rows + 1) * t->n_columns, sizeof *t->cells);
  for (size_t i = 0; i < t->n_columns; i++) {
    const char *cell = str_empty(cells[i]) ? "-" : cells[i];
    char *copy = str_dup(cell);
    table_printable(copy);
    t->cells[t->n_rows * t->n_columns + i] = copy;
    if (width_of(copy) > t->widths[i])
      t->widths[i] = width_of(copy);
  }
  t->n_rows++;
}

void table_print(Table *t) {
  for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
    size_t column = i % t->n_columns;
    if (column + 1 == t->n_columns)
      printf("%s\n", t->cells[i]);
    else
      printf("%s%*s", t->cells[i], (int)(t->widths[column] - width_of(t->cells[i])) + 2, "");
  }
  table_free(t);
}

void table_free(Table *t) {
  if (!t)
    return;
  for (size_t i = 0; i < t->n_rows * t->n_columns; i++)
    free(t->cells[i]);
  free(t->cells);
  free(t);
}

void table_age(int64_t ms, char out[16]) {
  int64_t s = ms / 1000;
  if (ms < 0)
    snprintf(out, 16, "-");
  else if (s < 120)
    snprintf(out, 16, "%llds", (long long)s);
  else if (s < INT64_C(120) * 60)
    snprintf(out, 16, "%lldm", (long long)s / 60);
  else if (s < INT64_C(48) * 3600)
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
