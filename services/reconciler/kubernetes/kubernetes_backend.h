/* The kubernetes backend: sandboxes are Sandbox objects of a cluster, and so Pods. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

/* NULL and err: the kubeconfig. Begins to lead and to tell when it has its Lease and complete copies. */
Backend *kubernetes_backend_new(Loop *loop, const ReconcilerConfig *config, State *state, Metrics *metrics,
                                const BackendEvents *events, void *arg, Error *err);

/* Sets the gauges that are computed at a scrape. */
void kubernetes_backend_scrape(void *backend);

#endif
