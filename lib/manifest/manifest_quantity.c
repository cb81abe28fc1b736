/* See manifest_quantity in manifest.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/manifest/manifest.h"

int manifest_quantity(const char *s, int64_t *ret_milli) {
  static const struct {
    const char *suffix;
    double milli;
  } UNITS[] = {{"", 1e3},   {"m", 1},       {"k", 1e6},        {"M", 1e9},           {"G", 1e12},
               {"T", 1e15}, {"Ki", 1024e3}, {"Mi", 1048576e3}, {"Gi", 1073741824e3}, {"Ti", 1099511627776e3}};
  char *end;
  if (!((*s >= '0' && *s <= '9') || *s == '.'))
    return -1;
  double v = strtod(s, &end);
  if (memchr(s, 'x', (size_t)(end - s)) || memchr(s, 'X', (size_t)(end - s)))
    return -1;
  for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
    if (strcmp(end, UNITS[i].suffix) != 0)
      continue;
    double milli = ceil(v * UNITS[i].milli);
    /* 2^62: far above any machine, below what int64_t holds */
    if (!(milli >= 0 && milli < 4611686018427387904.0))
      return -1;
    *ret_milli = (int64_t)milli;
    return 0;
  }
  return -1;
}
