/* See state_names.h. */
#include "services/reconciler/kubernetes/cluster/state_names.h"

#include <string.h>

#include "lib/base/str.h"

/* "namespace/name in the state" -> the object's name, of those that have another there. */
static json_t *names_of(const Cluster *c, ClusterResource r) {
  return r == CLUSTER_POOL ? c->pool_names : c->template_names;
}

static void name_of(ClusterResource r, const char *name, char out[STATE_NAME_SIZE]) {
  if (r == CLUSTER_POOL)
    state_name_of_pool(name, out);
  else
    state_name_of_template(name, out);
}

void state_names_change(Cluster *c, ClusterResource r, const json_t *before, const json_t *after) {
  const json_t *object = after ? after : before;
  const char *name = kube_name(object);
  char state_name[STATE_NAME_SIZE];
  name_of(r, name, state_name);
  if (str_equal(state_name, name))
    return;
  CLEANUP(str_freep) char *key = cluster_key(kube_namespace(object), state_name);
  const char *there = json_string_value(json_object_get(names_of(c, r), key));
  if (!after && str_equal(there, name))
    json_object_del(names_of(c, r), key);
  else if (after && (!there || !cluster_get(c, r, kube_namespace(object), there)))
    json_object_set_new(names_of(c, r), key, json_string(name));
}

static const json_t *find(const Cluster *c, ClusterResource r, const char *ns, const char *state_name) {
  char its_own[STATE_NAME_SIZE];
  name_of(r, state_name, its_own);
  const json_t *plain = str_equal(its_own, state_name) ? cluster_get(c, r, ns, state_name) : NULL;
  CLEANUP(str_freep) char *key = cluster_key(ns, state_name);
  const char *name = json_string_value(json_object_get(names_of(c, r), key));
  const json_t *other = name ? cluster_get(c, r, ns, name) : NULL;
  if (!plain || !other)
    return plain ? plain : other;
  const char *made = kube_text(plain, "metadata.creationTimestamp"),
             *made_other = kube_text(other, "metadata.creationTimestamp");
  return made && made_other && strcmp(made_other, made) < 0 ? other : plain;
}

const json_t *state_names_pool(const Cluster *c, const char *ns, const char *state_name) {
  return state_name ? find(c, CLUSTER_POOL, ns, state_name) : NULL;
}

bool state_names_has(const Cluster *c, const json_t *pool) {
  char state_name[STATE_NAME_SIZE];
  if (!pool)
    return false;
  state_name_of_pool(kube_name(pool), state_name);
  return state_names_pool(c, kube_namespace(pool), state_name) == pool;
}

const json_t *state_names_template(const Cluster *c, const char *ns, const char *state_name) {
  return state_name ? find(c, CLUSTER_TEMPLATE, ns, state_name) : NULL;
}
