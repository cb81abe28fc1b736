/* The Sandbox of a claim that no pool serves. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_COLD_SANDBOX_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_COLD_SANDBOX_H_

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

/* New reference, or NULL with a reason. name: the claim's, as a rule. named_service: ask for the headless Service
 * whatever the template says (claims of v1alpha1 clients). The metadata was checked with claim_check_metadata. */
json_t *cold_sandbox_build(const json_t *claim, const json_t *template, const char *name, bool named_service,
                           ClaimReject *ret_reject, Error *err);

#endif
