/* Labels and annotations that a Sandbox gives to its Pod.
 *
 * The Pod itself remembers which keys came from the podTemplate (two "propagated" annotations), so that a key
 * that leaves the template leaves the Pod too, while whatever others have put there stays.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_METADATA_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_METADATA_H_

#include "lib/kube/kube_object.h"

/* Changes pod.metadata (a new Pod's may be empty) to what the Sandbox says now. */
void pod_metadata_sync(const json_t *sandbox, json_t *pod);
/* The value of the label created-by as Pods carry it: one of a closed set; NULL stays NULL. */
const char *pod_metadata_created_by(const char *value);

#endif
