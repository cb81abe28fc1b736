/* PersistentVolumeClaims of a Sandbox: one for each of its volumeClaimTemplates.
 *
 * They outlive Pods (suspend, expiry) and end with the Sandbox object; once made they are never changed.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_VOLUME_CLAIM_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_VOLUME_CLAIM_H_

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"

size_t volume_claim_count(const json_t *sandbox);
/* malloc'ed: "<template>-<sandbox>", or of the Sandbox whose volumes it took over. */
char *volume_claim_name(const json_t *sandbox, size_t template_index);
/* New reference: the patch that gives the claim to `sandbox`, which it was made for as a part of Sandbox `from`. NULL:
 * it is not from's (any more). */
json_t *volume_claim_move_patch(const json_t *sandbox, const char *from, const json_t *claim);
/* New reference: the claim to create. */
json_t *volume_claim_build(const json_t *sandbox, size_t template_index);

typedef enum VolumeClaimAction {
  VOLUME_CLAIM_ERROR = -1, /* *err says why; the remaining templates wait for the next pass */
  VOLUME_CLAIM_NOTHING,
  VOLUME_CLAIM_CREATE,
  VOLUME_CLAIM_ADOPT, /* PATCH it with *ret_patch */
} VolumeClaimAction;

/* existing: the claim under that name, or NULL. */
VolumeClaimAction volume_claim_decide(const json_t *sandbox, const json_t *existing, json_t **ret_patch,
                                      Error *err) MUST_CHECK;

#endif
