/* A warm Pod moves from the member it was made for to a Sandbox that has the claim's own name: what clients of
 * v1alpha1 look for. With it move the volume claims that it has mounted, which keep their names. Steps: the Sandbox,
 * naming the Pod and whose volumes it has; the owner of each volume claim; the Pod's owner; the member's object goes,
 * and with it what else is its own: its Service, which has its name. Each step can be repeated, and an open move is
 * found again by what the objects say.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_MOVE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_MOVE_H_

#include "services/reconciler/kubernetes/claim/claim_pass.h"

/* Begins it; ends in claim_pass_look. */
void claim_move(ClaimPass *p, const json_t *claim, const json_t *member, const json_t *template);
void claim_move_finish(ClaimPass *p, const json_t *sandbox);

#endif
