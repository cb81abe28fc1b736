/* The Sandbox controller: each Sandbox gets its Pod, its volume claims and its Service, and says how they are. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

Controller *sandbox_controller_new(Cluster *c);

#endif
