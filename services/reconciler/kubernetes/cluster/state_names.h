/* Objects by their names in the shared state, which are not always their own (object/state_name.h).
 *
 * Where two objects would have one name there, the older has it; the other is refused (state_names_pool does not find
 * it).
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_STATE_NAMES_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_STATE_NAMES_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"
#include "services/reconciler/kubernetes/object/state_name.h"

/* Tells of a change of a pool or a template, before anybody asks for it. */
void state_names_change(Cluster *c, ClusterResource r, const json_t *before, const json_t *after);
/* NULL: there is none of this name. */
const json_t *state_names_pool(const Cluster *c, const char *ns, const char *state_name);
/* Whether a pool object is the one that has its name in the state. NULL: it is not. */
bool state_names_has(const Cluster *c, const json_t *pool);
const json_t *state_names_template(const Cluster *c, const char *ns, const char *state_name);

#endif
