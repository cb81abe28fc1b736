/* What a caller may ask of a batch, checked, as claim.h does for one sandbox. */
#ifndef SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_H_
#define SANDPLANE_SERVICES_CLAIMS_BATCH_BATCH_H_

#include "services/claims/claim/claim.h"

enum {
  /* of env and labels, count times: one script writes them, one answer carries the labels */
  BATCH_MAX_PAIR_BYTES = 2 << 20,
};

typedef struct BatchSpec {
  ClaimSpec each; /* from a pool */
  int count;
  int min_count; /* 1 to count */
} BatchSpec;

/* 0 or -1; min_count 0: count. Strings and pairs of ret_spec are the input's. */
int batch_check(const ClaimInput *each, int count, int min_count, BatchSpec *ret_spec, Error *err) MUST_CHECK;
/* 0 or -1: too many or none. */
int batch_check_names(size_t n_names, Error *err) MUST_CHECK;

#endif
