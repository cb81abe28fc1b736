/* See handover.h. */
#include "services/reconciler/kubernetes/cluster/handover.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* Whoever carries it on may find any part of it done: a crash, or an answer that was lost, may have been anywhere. */
bool handover_is_open(const Cluster *c, const json_t *sandbox) {
  const char *ns = kube_namespace(sandbox), *pod_name = kube_annotation(sandbox, ANNOTATION_POD_NAME);
  if (!pod_name || str_equal(pod_name, kube_name(sandbox)) ||
      !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return false;
  const json_t *pod = cluster_get(c, CLUSTER_POD, ns, pod_name),
               *member = cluster_get(c, CLUSTER_SANDBOX, ns, pod_name);
  return pod && sandbox_read_is_member(member) && !kube_is_deleting(member) &&
         (kube_is_controlled_by(pod, kube_uid(member)) || kube_is_controlled_by(pod, kube_uid(sandbox)));
}

bool handover_is_over(const Cluster *c, const json_t *member) {
  const json_t *pod = cluster_get(c, CLUSTER_POD, kube_namespace(member), kube_name(member));
  const char *owner = kube_text(kube_controller(pod), "uid");
  return owner && !str_equal(owner, kube_uid(member));
}
