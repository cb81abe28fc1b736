/* See claim_env.h. */
#include "services/reconciler/kubernetes/claim/claim_env.h"

#include "lib/base/str.h"

typedef struct Injection {
  json_t *pod_spec;
  bool may_override;
  ClaimReject *ret_reject;
  Error *err;
} Injection;

static json_t *find_named(const json_t *list, const char *name, size_t *ret_index) {
  json_t *item;
  size_t i;
  json_array_foreach((json_t *)list, i, item) {
    if (!str_equal(kube_text(item, "name"), name))
      continue;
    if (ret_index)
      *ret_index = i;
    return item;
  }
  return NULL;
}

static json_t *target_of(const Injection *in, const char *container) {
  const json_t *regular = json_object_get(in->pod_spec, "containers");
  if (str_empty(container))
    return json_array_get(regular, 0);
  json_t *target = find_named(json_object_get(in->pod_spec, "initContainers"), container, NULL);
  return target ? target : find_named(regular, container, NULL);
}

static int inject(const Injection *in, const json_t *var) {
  const char *name = kube_text(var, "name"), *value = kube_text(var, "value");
  const char *container = kube_text(var, "containerName");
  if (!name)
    name = "";
  json_t *target = target_of(in, container);
  if (!target)
    return error_set(in->err, ERROR_NOT_FOUND,
                     "target container \"%s\" not found in template for environment variable \"%s\"",
                     container ? container : "", name);
  /* A variable of envFrom would be overridden without anyone's seeing it. */
  if (!in->may_override && json_array_size(json_object_get(target, "envFrom")) > 0) {
    *in->ret_reject = CLAIM_ENV_REJECTED;
    return error_set(in->err, ERROR_PERMISSION_DENIED,
                     "environment variable injection rejected: container \"%s\" uses envFrom, "
                     "and the template allows no overrides",
                     kube_text(target, "name"));
  }
  if (!json_is_array(json_object_get(target, "env")))
    json_object_set_new(target, "env", json_array());
  json_t *env = json_object_get(target, "env");
  json_t *set = json_pack("{s:s,s:s}", "name", name, "value", value ? value : "");
  size_t i;
  if (!find_named(env, name, &i))
    return json_array_append_new(env, set);
  if (in->may_override)
    return json_array_set_new(env, i, set);
  json_decref(set);
  return error_set(in->err, ERROR_PERMISSION_DENIED,
                   "environment variable override is not allowed by the template policy for variable \"%s\"", name);
}

int claim_env_apply(json_t *pod_spec, const json_t *claim, const json_t *template, ClaimReject *ret_reject,
                    Error *err) {
  json_t *list = kube_get(claim, "spec.env"), *var;
  *ret_reject = CLAIM_ACCEPTED;
  if (json_array_size(list) == 0)
    return 0;
  const char *policy = kube_text(template, "spec.envVarsInjectionPolicy");
  bool may_override = str_equal(policy, "Overrides");
  if (!may_override && !str_equal(policy, "Allowed")) {
    *ret_reject = CLAIM_ENV_REJECTED;
    return error_set(err, ERROR_PERMISSION_DENIED,
                     "environment variable injection rejected: the template does not allow environment variables");
  }
  *ret_reject = CLAIM_FAILED;
  Injection in = {pod_spec, may_override, ret_reject, err};
  size_t i;
  /* Those that name a container come first. */
  for (int unnamed = 0; unnamed < 2; unnamed++) {
    json_array_foreach(list, i, var) {
      if (str_empty(kube_text(var, "containerName")) == (bool)unnamed && inject(&in, var) != 0)
        return -1;
    }
  }
  *ret_reject = CLAIM_ACCEPTED;
  return 0;
}
