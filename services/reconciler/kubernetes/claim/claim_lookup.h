/* What there is of a claim in the kept copies: its Sandbox, its pool, its template. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_LOOKUP_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_LOOKUP_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

/* The Sandbox that the claim has; NULL: none yet. */
const json_t *claim_lookup_sandbox(const Cluster *c, const json_t *claim);
/* Of the pool that it names, and of the template behind it; NULL: there is none, or no telling. */
const json_t *claim_lookup_pool(const Cluster *c, const json_t *claim);
const json_t *claim_lookup_template(const Cluster *c, const json_t *claim);
/* Name of the template behind the claim, malloc'ed; NULL: not to be known. */
char *claim_lookup_template_name(const Cluster *c, const json_t *claim);
bool claim_lookup_is_v1alpha1(const Cluster *c, const json_t *claim);

#endif
