/* Volume claim templates of a claim, merged with the template's as far as its policy lets them. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_VOLUMES_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_VOLUMES_H_

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

/* Sets volumeClaimTemplates in the spec of a Sandbox, which already holds the template's blueprint. 0, or -1 with
 * CLAIM_VOLUMES_REJECTED; then spec is unchanged. */
int claim_volumes_apply(json_t *spec, const json_t *claim, const json_t *template, ClaimReject *ret_reject,
                        Error *err) MUST_CHECK;

#endif
