/* See blueprint.h. */
#include "services/reconciler/kubernetes/template/blueprint.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/template/blueprint_text.h"
#include "services/reconciler/kubernetes/template/network_policy.h"

json_t *blueprint_of(const json_t *template) {
  json_t *out = json_object();
  const json_t *pod = kube_get(template, "spec.podTemplate");
  const json_t *volumes = kube_get(template, "spec.volumeClaimTemplates");
  json_object_set_new(out, "podTemplate", pod ? json_deep_copy(pod) : json_object());
  if (json_array_size(volumes) > 0)
    json_object_set_new(out, "volumeClaimTemplates", json_deep_copy(volumes));
  int service = kube_bool(template, "spec.service");
  if (service >= 0)
    json_object_set_new(out, "service", json_boolean(service));
  return out;
}

static void hash_of(const json_t *value, const char *type, char out[9]) {
  CLEANUP(str_freep) char *text = blueprint_text(value, type);
  kube_name_hash(text, out);
}

void blueprint_hash(const json_t *template, char out[9]) {
  KUBE_OWNED json_t *blueprint = blueprint_of(template);
  hash_of(blueprint, "Blueprint", out);
}

void blueprint_pod_hash(const json_t *template, char out[9]) {
  hash_of(kube_get(template, "spec.podTemplate"), "PodTemplate", out);
}

void blueprint_meaning_hash(const json_t *template, char out[9]) {
  KUBE_OWNED json_t *blueprint = blueprint_of(template);
  json_object_del(json_object_get(blueprint, "podTemplate"), "metadata");
  size_t i;
  json_t *volume;
  json_array_foreach(json_object_get(blueprint, "volumeClaimTemplates"), i, volume) {
    json_object_del(json_object_get(volume, "metadata"), "labels");
    json_object_del(json_object_get(volume, "metadata"), "annotations");
  }
  const char *name = kube_name(template);
  CLEANUP(str_freep) char *text = blueprint_text(blueprint, "Blueprint");
  CLEANUP(str_freep) char *named = str_printf("%s\n%s", name ? name : "", text);
  kube_name_hash(named, out);
}

static bool texts_differ(const json_t *a, const json_t *b, const char *type) {
  CLEANUP(str_freep) char *x = blueprint_text(a, type);
  CLEANUP(str_freep) char *y = blueprint_text(b, type);
  return !str_equal(x, y);
}

static bool pod_specs_differ(const json_t *sandbox, const json_t *template) {
  const json_t *stored = kube_get(template, "spec.podTemplate.spec");
  KUBE_OWNED json_t *wanted = stored ? json_deep_copy(stored) : json_object();
  blueprint_apply_secure_defaults(wanted, template);
  return texts_differ(kube_get(sandbox, "spec.podTemplate.spec"), wanted, "PodSpec");
}

static bool volumes_differ(const json_t *sandbox, const json_t *template) {
  const json_t *ours = kube_get(sandbox, "spec.volumeClaimTemplates");
  const json_t *theirs = kube_get(template, "spec.volumeClaimTemplates");
  if (json_array_size(ours) != json_array_size(theirs))
    return true;
  for (size_t i = 0; i < json_array_size(ours); i++) {
    const json_t *a = json_array_get(ours, i), *b = json_array_get(theirs, i);
    if (!str_equal(kube_name(a), kube_name(b)))
      return true;
    if (texts_differ(kube_get(a, "spec"), kube_get(b, "spec"), "PersistentVolumeClaimSpec"))
      return true;
  }
  return false;
}

bool blueprint_differs(const json_t *sandbox, const json_t *template) {
  char hash[9];
  const char *name = kube_name(template);
  kube_name_hash(name ? name : "", hash);
  if (!str_equal(kube_label(sandbox, LABEL_TEMPLATE_REF_HASH), hash))
    return true;
  blueprint_hash(template, hash);
  if (str_equal(kube_label(sandbox, LABEL_TEMPLATE_HASH), hash))
    return false;
  return pod_specs_differ(sandbox, template) || volumes_differ(sandbox, template) ||
         kube_bool(sandbox, "spec.service") != kube_bool(template, "spec.service");
}

void blueprint_apply_secure_defaults(json_t *pod_spec, const json_t *template) {
  if (kube_bool(pod_spec, "automountServiceAccountToken") < 0)
    json_object_set_new(pod_spec, "automountServiceAccountToken", json_false());
  if (!network_policy_is_default(template) || !str_empty(kube_text(pod_spec, "dnsPolicy")))
    return;
  json_object_set_new(pod_spec, "dnsPolicy", json_string("None"));
  json_object_set_new(pod_spec, "dnsConfig", json_pack("{s:[s,s]}", "nameservers", "8.8.8.8", "1.1.1.1"));
}
