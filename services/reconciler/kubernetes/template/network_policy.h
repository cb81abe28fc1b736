/* The NetworkPolicy of a template: the sandbox router may reach its Pods, they may reach the internet and
 * nothing private (which blocks the cluster's DNS on purpose), unless the template says otherwise. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_NETWORK_POLICY_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_NETWORK_POLICY_H_

#include <stdbool.h>

#include "lib/kube/kube_object.h"

/* Managed, and the template has no rules of its own. */
bool network_policy_is_default(const json_t *template);
/* "<template>-network-policy", malloc'ed; of a template whose name is too long for that it is cut, with a hash. */
char *network_policy_name(const json_t *template);
/* New reference, controlled by the template; NULL when the template is Unmanaged. */
json_t *network_policy_build(const json_t *template);
/* By their specs, with what the API server defaults in one and not in the other. */
bool network_policy_differs(const json_t *existing, const json_t *wanted);

#endif
