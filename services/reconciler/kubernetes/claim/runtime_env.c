/* See runtime_env.h. */
#include "services/reconciler/kubernetes/claim/runtime_env.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_env.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define RUNTIME_PORT 8888
/* As of claims through gRPC, counted as they count. */
#define BYTES_MAX ((size_t)32 << 10)

/* The container that the runtime is in: the one that declares its port, else the only one. */
static json_t *serving(const json_t *pod_spec) {
  const json_t *containers = kube_get(pod_spec, "containers");
  json_t *container, *port;
  size_t i, k;
  json_array_foreach((json_t *)containers, i, container) {
    json_array_foreach(json_object_get(container, "ports"), k, port) {
      if (kube_int(port, "containerPort", 0) == RUNTIME_PORT)
        return container;
    }
  }
  return json_array_size(containers) == 1 ? json_array_get(containers, 0) : NULL;
}

static json_t *var_of(const json_t *container, const char *name) {
  json_t *var;
  size_t i;
  json_array_foreach(json_object_get(container, "env"), i, var) {
    if (str_equal(kube_text(var, "name"), name))
      return var;
  }
  return NULL;
}

/* All of them are for this container, which is the first one where they name none. */
static bool is_meant(const json_t *claim, const json_t *pod_spec, const json_t *container) {
  json_t *var;
  size_t i;
  json_array_foreach(kube_get(claim, "spec.env"), i, var) {
    const char *name = kube_text(var, "containerName");
    if (str_empty(name) ? container != json_array_get(kube_get(pod_spec, "containers"), 0)
                        : !str_equal(name, kube_text(container, "name")))
      return false;
  }
  return true;
}

/* What the kubelet would make of it when it starts the container: "$(NAME)" in values, commands and arguments. */
static bool is_expanded(const char *text, const char *name, const char *value) {
  CLEANUP(str_freep) char *reference = str_printf("$(%s)", name);
  return strstr(text, reference) || strstr(value, "$(") || strstr(value, "$$");
}

/* env gets the claim's variables, as they are in the container; or else the refusal. */
static const char *collect(const json_t *claim, const json_t *container, const char *before, json_t *env) {
  json_t *var;
  size_t i, total = 0;
  json_array_foreach(kube_get(claim, "spec.env"), i, var) {
    const char *name = kube_text(var, "name");
    const char *value = kube_text(name ? var_of(container, name) : NULL, "value");
    if (!name || !value || !str_is_env_name(name))
      return "a variable has a name that no shell takes";
    if (is_expanded(before, name, value))
      return "kubelet would have to expand a $(NAME) or $$ when it starts the container";
    json_object_set_new(env, name, json_string(value));
    total += strlen(name) + strlen(value) + 2;
  }
  return total <= BYTES_MAX ? NULL : "the variables are more than 32 KiB";
}

/* As runtime_env_of, or NULL and the refusal, in words of its own or of err. */
static json_t *env_of(const json_t *claim, const json_t *template, const json_t *pod_spec, const char **ret_why,
                      Error *err) {
  *ret_why = "";
  if (json_array_size(kube_get(claim, "spec.env")) == 0)
    return NULL;
  *ret_why = "the template's annotation " ANNOTATION_CLAIM_ENV " wants it so";
  if (str_equal(kube_annotation(template, ANNOTATION_CLAIM_ENV), "cold"))
    return NULL;
  const json_t *container = serving(pod_spec);
  *ret_why = "none of the template's containers declares port 8888, where Sandplane's runtime would take them";
  if (!container)
    return NULL;
  *ret_why = "the container's postStart hook has run without them";
  if (kube_get(container, "lifecycle.postStart"))
    return NULL;
  *ret_why = "a variable is for another container than the one with Sandplane's runtime";
  if (!is_meant(claim, pod_spec, container))
    return NULL;
  CLEANUP(str_freep) char *before = json_dumps(container, JSON_COMPACT);
  KUBE_OWNED json_t *with = json_deep_copy(pod_spec);
  KUBE_OWNED json_t *env = json_object();
  ClaimReject reject;
  if (claim_env_apply(with, claim, template, &reject, err) != 0) {
    *ret_why = err->message;
    return NULL;
  }
  *ret_why = collect(claim, serving(with), before ? before : "", env);
  return *ret_why ? NULL : json_incref(env);
}

json_t *runtime_env_of(const json_t *claim, const json_t *template, const json_t *pod_spec) {
  const char *why;
  Error err;
  return env_of(claim, template, pod_spec, &why, &err);
}

char *runtime_env_refusal(const json_t *claim, const json_t *template, const json_t *pod_spec) {
  const char *why;
  Error err;
  KUBE_OWNED json_t *env = env_of(claim, template, pod_spec, &why, &err);
  return str_dup(env ? "" : why);
}

void runtime_env_keep(json_t *sandbox, const json_t *claim, const json_t *template) {
  json_t *pod_spec = kube_get(sandbox, "spec.podTemplate.spec");
  KUBE_OWNED json_t *env = runtime_env_of(claim, template, pod_spec);
  if (!env)
    return;
  ClaimReject reject;
  Error err;
  if (claim_env_apply(pod_spec, claim, template, &reject, &err) != 0)
    return; /* it was asked a moment ago */
  Buf names = BUF_INIT(0);
  const char *name;
  json_t *v;
  json_object_foreach(env, name, v) {
    if (buf_printf(&names, "%s%s", names.len ? "," : "", name) != 0)
      abort();
  }
  kube_set_annotation(sandbox, ANNOTATION_RUNTIME_ENV, buf_str(&names));
  buf_deinit(&names);
}

json_t *runtime_env_kept(const json_t *sandbox) {
  const char *names = kube_annotation(sandbox, ANNOTATION_RUNTIME_ENV);
  const json_t *container = serving(kube_get(sandbox, "spec.podTemplate.spec"));
  if (str_empty(names) || !container)
    return NULL;
  json_t *env = json_object();
  while (*names) {
    size_t len = strcspn(names, ",");
    CLEANUP(str_freep) char *name = str_ndup(names, len);
    const char *value = kube_text(var_of(container, name), "value");
    if (value && str_is_env_name(name))
      json_object_set_new(env, name, json_string(value));
    names += len + (names[len] == ',');
  }
  return env;
}
