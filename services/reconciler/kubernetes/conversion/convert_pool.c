/* SandboxWarmPool: the number is a must in v1alpha1, where none given reads 0, and optional in v1beta1. The one field
 * that v1alpha1 lacks travels through it as an annotation. */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include <stdio.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define GRACE "readinessGracePeriodSeconds"
#define GRACE_MIN 30

static int set_replicas(json_t *object, int64_t otherwise, Error *err) {
  int64_t n;
  if (convert_int(object, "spec.replicas", &n, err))
    return -1;
  if (n == CONVERT_NO_INT)
    kube_set(object, "spec.replicas", json_integer(otherwise));
  convert_remove(object, "status", "observedGeneration");
  return 0;
}

int convert_pool_to_v1beta1(json_t *object, Error *err) {
  const char *grace;
  int64_t seconds;
  if (convert_annotation(object, ANNOTATION_POOL_GRACE, &grace, err))
    return -1;
  convert_remove(object, "spec", GRACE);
  if (grace && str_to_int64(grace, GRACE_MIN, INT32_MAX, &seconds) != 0)
    return error_field(err, "metadata.annotations",
                       "annotation " ANNOTATION_POOL_GRACE " is no number of at least 30 but: %s", grace);
  if (grace) {
    kube_set(object, "spec." GRACE, json_integer(seconds));
    convert_remove_annotation(object, ANNOTATION_POOL_GRACE);
  }
  return set_replicas(object, 0, err);
}

int convert_pool_to_v1alpha1(json_t *object, const json_t *state, Error *err) {
  int64_t seconds;
  char text[24];
  if (convert_int(object, "spec." GRACE, &seconds, err))
    return -1;
  snprintf(text, sizeof text, "%lld", (long long)seconds);
  if (seconds != CONVERT_NO_INT)
    kube_set_annotation(object, ANNOTATION_POOL_GRACE, text);
  else
    convert_remove_annotation(object, ANNOTATION_POOL_GRACE);
  convert_remove(object, "spec", GRACE);
  return set_replicas(object, 1, err);
}
