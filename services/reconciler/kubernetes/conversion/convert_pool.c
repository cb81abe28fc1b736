/* SandboxWarmPool: the number is a must in v1alpha1, where none given reads 0, and optional in v1beta1. */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include "lib/kube/kube_object.h"

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
  return set_replicas(object, 0, err);
}

int convert_pool_to_v1alpha1(json_t *object, const json_t *state, Error *err) {
  return set_replicas(object, 1, err);
}
