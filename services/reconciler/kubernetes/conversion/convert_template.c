/* SandboxTemplate: the one field that v1alpha1 lacks travels through it as an annotation. */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define POLICY "volumeClaimTemplatesPolicy"

int convert_template_to_v1beta1(json_t *object, Error *err) {
  const char *policy;
  if (convert_annotation(object, ANNOTATION_VCT_POLICY, &policy, err))
    return -1;
  convert_remove(object, "spec", POLICY);
  if (!policy)
    return 0;
  /* the value last, where a cut of the message does no harm */
  if (!str_equal(policy, "Disallowed") && !str_equal(policy, "Allowed") && !str_equal(policy, "Overrides"))
    return error_field(err, "metadata.annotations",
                       "annotation " ANNOTATION_VCT_POLICY " is not Disallowed, Allowed or Overrides but: %s", policy);
  kube_set(object, "spec." POLICY, json_string(policy));
  convert_remove_annotation(object, ANNOTATION_VCT_POLICY);
  return 0;
}

int convert_template_to_v1alpha1(json_t *object, const json_t *state, Error *err) {
  const char *policy;
  if (convert_text(object, "spec." POLICY, &policy, err))
    return -1;
  if (!str_empty(policy))
    kube_set_annotation(object, ANNOTATION_VCT_POLICY, policy);
  else
    convert_remove_annotation(object, ANNOTATION_VCT_POLICY);
  convert_remove(object, "spec", POLICY);
  return 0;
}
