/* Sandbox: v1alpha1 counts replicas, 0 or 1, where v1beta1 has an operating mode. */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"

#define RUNNING "Running"
#define SUSPENDED "Suspended"

int convert_sandbox_to_v1beta1(json_t *object, Error *err) {
  int64_t replicas;
  if (convert_int(object, "spec.replicas", &replicas, err))
    return -1;
  convert_remove(object, "spec", "replicas");
  kube_set(object, "spec.operatingMode", json_string(replicas == 0 ? SUSPENDED : RUNNING));
  convert_remove(object, "status", "replicas");
  convert_remove(object, "status", "nodeName");
  return 0;
}

/* Number at object[parent].replicas, which goes when there is none. */
static void set_replicas(json_t *object, const char *parent, const char *path, int64_t n) {
  if (n == CONVERT_NO_INT)
    convert_remove(object, parent, "replicas");
  else
    kube_set(object, path, json_integer(n));
}

/* status.replicas is what the v1alpha1 writer last saw. Without a status it saw none, which reads 0 once there
 * is one; a status that came without the number goes back without it. */
static int seen_replicas(const json_t *object, const json_t *state, int64_t *ret_n, Error *err) {
  json_t *had, *has;
  if (convert_int(state, "status.replicas", ret_n, err) || convert_map(state, "status", &had, err) ||
      convert_map(object, "status", &has, err))
    return -1;
  if (!had && has)
    *ret_n = 0;
  return 0;
}

int convert_sandbox_to_v1alpha1(json_t *object, const json_t *state, Error *err) {
  const char *mode;
  if (convert_text(object, "spec.operatingMode", &mode, err))
    return -1;
  int64_t wanted = str_equal(mode, SUSPENDED) ? 0 : 1;
  int64_t seen = wanted;
  if (state) {
    int64_t was;
    if (convert_int(state, "spec.replicas", &was, err) || seen_replicas(object, state, &seen, err))
      return -1;
    if (str_equal(mode, RUNNING) && was != 0)
      wanted = was;
  }
  convert_remove(object, "spec", "operatingMode");
  set_replicas(object, "spec", "spec.replicas", wanted);
  convert_remove(object, "status", "nodeName");
  set_replicas(object, "status", "status.replicas", seen);
  return 0;
}
