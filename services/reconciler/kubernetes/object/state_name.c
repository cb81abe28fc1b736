/* See state_name.h. */
#include "services/reconciler/kubernetes/object/state_name.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

enum { HASH_LEN = 9 }; /* "-" and 8 digits */

static void name_of(const char *name, size_t max, size_t cut, char out[STATE_NAME_SIZE]) {
  size_t len = strlen(name);
  if (len <= max && str_is_dns_label(name)) {
    memcpy(out, name, len + 1);
    return;
  }
  size_t n = len < cut - HASH_LEN ? len : cut - HASH_LEN;
  for (size_t i = 0; i < n; i++)
    out[i] = name[i] == '.' ? '-' : name[i];
  while (n > 0 && out[n - 1] == '-')
    n--;
  snprintf(out + n, STATE_NAME_SIZE - n, "-%08x", str_fnv1a32(name, len));
}

void state_name_of_pool(const char *name, char out[STATE_NAME_SIZE]) {
  name_of(name, STATE_NAME_POOL_MAX, STATE_NAME_POOL_MAX, out);
}

void state_name_of_template(const char *name, char out[STATE_NAME_SIZE]) {
  name_of(name, STATE_NAME_TEMPLATE_MAX, STATE_NAME_TEMPLATE_CUT, out);
}
