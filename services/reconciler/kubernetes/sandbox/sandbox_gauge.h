/* What the dashboards of the Agent Sandbox API show of the Sandboxes there are, counted at each scrape: a gauge that
 * followed changes would drift with the first one missed. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_GAUGE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_GAUGE_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

void sandbox_gauge_count(Cluster *c);

#endif
