/* See batch.h. */
#include "services/claims/batch/batch.h"

#include <string.h>

#include "lib/base/str.h"

static size_t pair_bytes(const StatePair *pairs, size_t n) {
  size_t total = 0;
  for (size_t i = 0; i < n; i++)
    total += strlen(pairs[i].key) + strlen(pairs[i].value) + 2;
  return total;
}

int batch_check(const ClaimInput *each, int count, int min_count, BatchSpec *ret_spec, Error *err) {
  *ret_spec = (BatchSpec){.count = count, .min_count = min_count ? min_count : count};
  if (str_empty(each->pool))
    return error_field(err, "pool", "is required");
  if (claim_check(each, &ret_spec->each, err) < 0)
    return -1;
  if (count < 1 || count > STATE_BATCH_MAX)
    return error_field(err, "count", "must be 1 to %d", STATE_BATCH_MAX);
  if (min_count < 0 || min_count > count)
    return error_field(err, "min_count", "must be 1 to count, or unset");
  size_t labels = pair_bytes(each->labels, each->n_labels) * (size_t)count;
  if (labels > BATCH_MAX_PAIR_BYTES)
    return error_field(err, "labels", "are %zu bytes, taken count times; at most %d are allowed", labels,
                       BATCH_MAX_PAIR_BYTES);
  size_t env = pair_bytes(each->env, each->n_env) * (size_t)count;
  if (labels + env > BATCH_MAX_PAIR_BYTES)
    return error_field(err, "env", "is %zu bytes with labels, taken count times; at most %d are allowed", labels + env,
                       BATCH_MAX_PAIR_BYTES);
  return 0;
}

int batch_check_names(size_t n_names, Error *err) {
  if (n_names < 1 || n_names > STATE_BATCH_MAX)
    return error_field(err, "names", "holds %zu, 1 to %d are allowed", n_names, STATE_BATCH_MAX);
  return 0;
}
