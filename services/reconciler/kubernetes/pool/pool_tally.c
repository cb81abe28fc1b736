/* See pool_tally.h. */
#include "services/reconciler/kubernetes/pool/pool_tally.h"

#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

void pool_tally_init(PoolTally *t) {
  t->pools = json_object();
}
void pool_tally_deinit(PoolTally *t) {
  json_decref(t->pools);
}

static void count(json_t *pool, const json_t *sandbox, int by) {
  json_t *ready = json_object_get(pool, "ready"), *unready = json_object_get(pool, "unready");
  if (member_is_ready(sandbox))
    json_integer_set(ready, json_integer_value(ready) + by);
  else if (by > 0)
    json_object_set_new(unready, kube_name(sandbox), json_null());
  else
    json_object_del(unready, kube_name(sandbox));
}

static void change(PoolTally *t, const json_t *sandbox, int by) {
  if (!sandbox || kube_is_deleting(sandbox) || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL))
    return;
  const char *uid = kube_text(kube_controller(sandbox), "uid");
  if (!uid)
    return;
  json_t *pool = json_object_get(t->pools, uid);
  if (!pool) {
    pool = json_pack("{s:i,s:{}}", "ready", 0, "unready");
    json_object_set_new(t->pools, uid, pool);
  }
  count(pool, sandbox, by);
  if (by < 0 && pool_tally_active(t, uid) == 0)
    json_object_del(t->pools, uid);
}

void pool_tally_change(PoolTally *t, const json_t *before, const json_t *after) {
  change(t, before, -1);
  change(t, after, 1);
}

int pool_tally_ready(const PoolTally *t, const char *pool_uid) {
  return (int)json_integer_value(json_object_get(json_object_get(t->pools, pool_uid), "ready"));
}

json_t *pool_tally_unready(const PoolTally *t, const char *pool_uid) {
  return json_object_get(json_object_get(t->pools, pool_uid), "unready");
}

int pool_tally_active(const PoolTally *t, const char *pool_uid) {
  return pool_tally_ready(t, pool_uid) + (int)json_object_size(pool_tally_unready(t, pool_uid));
}
