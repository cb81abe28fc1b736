/* See network_policy.h. */
#include "services/reconciler/kubernetes/template/network_policy.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* Where the router is looked for, and how its Pods are labelled. */
#define ROUTER_NAMESPACE "agent-sandbox-system"
#define ROUTER_APP "sandbox-router"

static bool is_managed(const json_t *template) {
  return !str_equal(kube_text(template, "spec.networkPolicyManagement"), "Unmanaged");
}

bool network_policy_is_default(const json_t *template) {
  return is_managed(template) && !json_is_object(kube_get(template, "spec.networkPolicy"));
}

#define NAME_MAX_LEN 253
#define NAME_END "-network-policy"

char *network_policy_name(const json_t *template) {
  const char *name = kube_name(template) ? kube_name(template) : "";
  if (strlen(name) + strlen(NAME_END) <= NAME_MAX_LEN)
    return str_printf("%s" NAME_END, name);
  char hash[9];
  kube_name_hash(name, hash);
  size_t cut = NAME_MAX_LEN - strlen(NAME_END) - sizeof hash;
  while (name[cut - 1] == '.' || name[cut - 1] == '-')
    cut--; /* where a label cannot end */
  return str_printf("%.*s-%s" NAME_END, (int)cut, name, hash);
}

/* One peer, both of whose selectors have to match. */
static json_t *default_ingress(void) {
  return json_pack("[{s:[{s:{s:{s:s}},s:{s:{s:s}}}]}]", "from", "namespaceSelector", "matchLabels",
                   "kubernetes.io/metadata.name", ROUTER_NAMESPACE, "podSelector", "matchLabels", "app", ROUTER_APP);
}

/* Everything public: without private and link-local addresses, where clusters and clouds keep their insides. */
static json_t *default_egress(void) {
  json_t *v4 = json_pack("{s:{s:s,s:[s,s,s,s]}}", "ipBlock", "cidr", "0.0.0.0/0", "except", "10.0.0.0/8",
                         "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16");
  json_t *v6 = json_pack("{s:{s:s,s:[s,s]}}", "ipBlock", "cidr", "::/0", "except", "fc00::/7", "fe80::/10");
  return json_pack("[{s:[o,o]}]", "to", v4, v6);
}

static json_t *rules(const json_t *template, const char *direction, json_t *(*otherwise)(void)) {
  if (network_policy_is_default(template))
    return otherwise();
  const json_t *list = json_object_get(kube_get(template, "spec.networkPolicy"), direction);
  return json_is_array(list) ? json_deep_copy(list) : json_array();
}

json_t *network_policy_build(const json_t *template) {
  if (!is_managed(template))
    return NULL;
  char hash[9];
  kube_name_hash(kube_name(template), hash);
  CLEANUP(str_freep) char *name = network_policy_name(template);
  json_t *owner = kube_owner_reference(EXTENSIONS_V1BETA1, KIND_TEMPLATE, kube_name(template), kube_uid(template));
  json_t *metadata =
      json_pack("{s:s,s:s*,s:[o]}", "name", name, "namespace", kube_namespace(template), "ownerReferences", owner);
  json_t *spec = json_pack("{s:{s:{s:s}},s:[s,s],s:o,s:o}", "podSelector", "matchLabels", LABEL_TEMPLATE_REF_HASH, hash,
                           "policyTypes", "Ingress", "Egress", "ingress", rules(template, "ingress", default_ingress),
                           "egress", rules(template, "egress", default_egress));
  return json_pack("{s:s,s:s,s:o,s:o}", "apiVersion", "networking.k8s.io/v1", "kind", "NetworkPolicy", "metadata",
                   metadata, "spec", spec);
}

/* Makes equal what the API server writes in one way only: empty lists and selectors' empty maps are left out, a
 * port without protocol is TCP. */
static void normalize(json_t *value) {
  size_t i;
  const char *key;
  json_t *v;
  void *next;
  json_array_foreach(value, i, v) normalize(v);
  json_object_foreach_safe(value, next, key, v) {
    normalize(v);
    bool empty_list = json_is_array(v) && json_array_size(v) == 0;
    bool empty_map = str_equal(key, "matchLabels") && json_is_object(v) && json_object_size(v) == 0;
    if (json_is_null(v) || empty_list || empty_map)
      json_object_del(value, key);
  }
  json_array_foreach(json_object_get(value, "ports"), i, v) {
    if (json_is_object(v) && !json_object_get(v, "protocol"))
      json_object_set_new(v, "protocol", json_string("TCP"));
  }
}

bool network_policy_differs(const json_t *existing, const json_t *wanted) {
  KUBE_OWNED json_t *a = json_deep_copy(kube_get(existing, "spec"));
  KUBE_OWNED json_t *b = json_deep_copy(kube_get(wanted, "spec"));
  normalize(a);
  normalize(b);
  return !json_equal(a, b);
}
