/* Environment variables of a claim, put into the containers as far as the template's policy lets them. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_ENV_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_ENV_H_

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

/* 0, or -1 with CLAIM_ENV_REJECTED or CLAIM_FAILED; then pod_spec may be changed in part. */
int claim_env_apply(json_t *pod_spec, const json_t *claim, const json_t *template, ClaimReject *ret_reject,
                    Error *err) MUST_CHECK;

#endif
