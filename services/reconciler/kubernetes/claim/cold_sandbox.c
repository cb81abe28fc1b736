/* See cold_sandbox.h. */
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/claim/claim_env.h"
#include "services/reconciler/kubernetes/claim/claim_volumes.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/template/blueprint.h"

static json_t *cold_metadata(const json_t *claim, const char *name) {
  json_t *owner = kube_owner_reference(EXTENSIONS_V1BETA1, KIND_CLAIM, kube_name(claim), kube_uid(claim));
  return json_pack("{s:s,s:s*,s:[o]}", "name", name, "namespace", kube_namespace(claim), "ownerReferences", owner);
}

static void set_labels(json_t *sandbox, const json_t *claim, const json_t *template) {
  char hash[9];
  kube_name_hash(kube_name(template), hash);
  kube_set_label(sandbox, LABEL_CLAIM_UID, kube_uid(claim));
  kube_set_label(sandbox, LABEL_LAUNCH_TYPE, "cold");
  kube_set_label(sandbox, LABEL_TEMPLATE_REF_HASH, hash);
  const char *created_by = kube_label(claim, LABEL_CREATED_BY);
  const char *trace = kube_annotation(claim, ANNOTATION_TRACE_CONTEXT);
  if (!str_empty(created_by))
    kube_set_label(sandbox, LABEL_CREATED_BY, created_by);
  kube_set_annotation(sandbox, ANNOTATION_TEMPLATE_REF, kube_name(template));
  if (trace)
    kube_set_annotation(sandbox, ANNOTATION_TRACE_CONTEXT, trace);
}

json_t *cold_sandbox_build(const json_t *claim, const json_t *template, const char *name, bool named_service,
                           ClaimReject *ret_reject, Error *err) {
  KUBE_OWNED json_t *spec = blueprint_of(template);
  if (claim_volumes_apply(spec, claim, template, ret_reject, err) != 0)
    return NULL;
  json_t *pod = json_object_get(spec, "podTemplate");
  kube_set(pod, "metadata", claim_pod_metadata(claim, template));
  if (!json_is_object(kube_get(pod, "spec")))
    kube_set(pod, "spec", json_object());
  if (claim_env_apply(kube_get(pod, "spec"), claim, template, ret_reject, err) != 0)
    return NULL;
  blueprint_apply_secure_defaults(kube_get(pod, "spec"), template);
  if (named_service)
    kube_set(spec, "service", json_true());
  json_t *sandbox = json_pack("{s:s,s:s,s:o,s:O}", "apiVersion", AGENTS_V1BETA1, "kind", KIND_SANDBOX, "metadata",
                              cold_metadata(claim, name), "spec", spec);
  set_labels(sandbox, claim, template);
  return sandbox;
}
