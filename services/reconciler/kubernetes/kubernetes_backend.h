/* The kubernetes backend: sandboxes are Sandbox objects of a cluster, and so Pods. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_H_

#include "services/reconciler/kubernetes/cluster.h"

typedef struct KubernetesBackend KubernetesBackend;

/* NULL and err: the kubeconfig. Begins to lead and to tell when it has its Lease and complete copies. */
Backend *kubernetes_backend_new(Loop *loop, const ReconcilerConfig *config, State *state, Metrics *metrics,
                                const BackendEvents *events, void *arg, Error *err);

/* Sets the gauges that are computed at a scrape. */
void kubernetes_backend_scrape(void *backend);

/* ---- for the controllers ---- */

/* A member that can be given to nobody: the state is asked, and its object is deleted unless somebody holds it. failed:
 * see on_unfit. */
void kubernetes_backend_spoil(KubernetesBackend *b, const json_t *sandbox, bool failed, const char *reason,
                              const char *message);
/* Name in the shared state of what a Sandbox object runs: the member it came from. Borrowed. */
const char *kubernetes_backend_id(const json_t *sandbox);
/* "pod:IP"; false: no address yet. */
bool kubernetes_backend_route(const json_t *sandbox, char *out, size_t size);
/* Mark of the data set, for new members; NULL: not known yet. */
const char *kubernetes_backend_epoch(const KubernetesBackend *b);

#endif
