/* What a claim makes of the Sandbox it gets: patches for adoption, and for later changes of the claim. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_ADOPTION_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_ADOPTION_H_

#include "lib/kube/kube_object.h"

/* New reference: what podTemplate.metadata of the claim's Sandbox must equal: the template's, the tracking
 * labels, additionalPodMetadata (checked before with claim_check_metadata). */
json_t *claim_pod_metadata(const json_t *claim, const json_t *template);
/* New reference: the merge patch that takes a member out of its pool and gives it to the claim. It carries the
 * resourceVersion, so that of two claims only one succeeds. template NULL (not readable): the metadata stays, but
 * for what the pool put there. */
json_t *claim_adoption_patch(const json_t *claim, const json_t *sandbox, const json_t *template);
/* New reference: the merge patch that takes a member out of its pool and gives it to nobody, because who holds it
 * cannot be shown; NULL: it is in none. anchor (NULL: none) is taken over: the owner that is left to it. Carries the
 * resourceVersion, too. */
json_t *claim_detach_patch(const json_t *sandbox, json_t *anchor);
/* New reference: the merge patch that brings the metadata of an owned Sandbox up to date; NULL: nothing to do.
 * template NULL: only what needs none. */
json_t *claim_sync_patch(const json_t *claim, const json_t *sandbox, const json_t *template);

#endif
