/* See pool.h. */
#include "services/pools/pool.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_keys.h"

int pool_check_name(const char *name, const char *field, ResourceName *ret_name, Error *err) {
  if (resource_name_parse(name, "pools", field, ret_name, err) < 0)
    return -1;
  if (strlen(ret_name->id) > STATE_POOL_NAME_MAX)
    return error_field(err, field, "a pool's name has at most %d characters: its sandboxes are named after it",
                       STATE_POOL_NAME_MAX);
  if (str_starts_with(ret_name->id, STATE_IMPLICIT_POOL_PREFIX))
    return error_field(err, field, "names beginning with %s are kept for claims straight from a template",
                       STATE_IMPLICIT_POOL_PREFIX);
  return 0;
}

int pool_check_replicas(int64_t replicas, const char *field, int *ret_replicas, Error *err) {
  if (replicas < 0 || replicas > POOL_MAX_REPLICAS)
    return error_field(err, field, "must be 0 to %d", POOL_MAX_REPLICAS);
  *ret_replicas = (int)replicas;
  return 0;
}

int pool_check(const PoolInput *in, PoolSpec *ret_spec, Error *err) {
  ResourceName template_name;
  if (pool_check_name(in->name, "pool.name", &ret_spec->name, err) < 0 ||
      resource_name_parse(in->template_name, "templates", "pool.template", &template_name, err) < 0)
    return -1;
  if (!str_equal(template_name.ns, ret_spec->name.ns))
    return error_field(err, "pool.template", "must be in the namespace of the pool");
  memcpy(ret_spec->template_name, template_name.id, sizeof template_name.id);
  if (pool_check_replicas(in->replicas, "pool.replicas", &ret_spec->replicas, err) < 0)
    return -1;
  if (in->strategy < 0 || in->strategy > POOL_RECREATE)
    return error_field(err, "pool.update_strategy", "must be ON_REPLENISH or RECREATE");
  ret_spec->strategy = in->strategy ? (PoolStrategy)in->strategy : POOL_ON_REPLENISH;
  return 0;
}
