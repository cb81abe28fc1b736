/* What a caller may declare of a pool, checked: fields in, a record's fields or an error with the field's
 * path out. */
#ifndef SANDPLANE_SERVICES_POOLS_POOL_H_
#define SANDPLANE_SERVICES_POOLS_POOL_H_

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/resource/resource.h"

enum { POOL_MAX_REPLICAS = 10000 };

/* Numbers as in sandplane.v1.Pool.UpdateStrategy. */
typedef enum PoolStrategy { POOL_ON_REPLENISH = 1, POOL_RECREATE = 2 } PoolStrategy;

typedef struct PoolInput {
  const char *name;
  const char *template_name;
  int64_t replicas;
  int64_t strategy;
} PoolInput;

typedef struct PoolSpec {
  ResourceName name;
  char template_name[RESOURCE_SEGMENT_MAX + 1];
  int replicas;
  PoolStrategy strategy;
} PoolSpec;

int pool_check(const PoolInput *in, PoolSpec *ret_spec, Error *err) MUST_CHECK;
/* The name of a pool that is to be changed: implicit pools belong to the claims that made them. */
int pool_check_name(const char *name, const char *field, ResourceName *ret_name, Error *err) MUST_CHECK;
int pool_check_replicas(int64_t replicas, const char *field, int *ret_replicas, Error *err) MUST_CHECK;

#endif
