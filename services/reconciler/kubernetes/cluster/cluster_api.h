/* What is asked of a real API server: where each kind lies there, and the requests. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_API_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_API_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

extern const struct ClusterPlace {
  const char *group_path, *plural, *selector; /* selector: of the objects that copies are kept of; NULL: all */
} CLUSTER_RESOURCES[CLUSTER_N_RESOURCES];

extern const ClusterApi CLUSTER_API;

#endif
