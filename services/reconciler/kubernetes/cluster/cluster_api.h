/* What is asked of a real API server. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_API_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_API_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

extern const ClusterApi CLUSTER_API;

#endif
