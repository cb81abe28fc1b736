/* What SandboxClaims and the shared state have to tell each other. The state says who gets a member; once the objects
 * say it too, they are what the state is made from again.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_STATE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_STATE_H_

#include "services/reconciler/kubernetes/claim/claim_pass.h"

/* Whether it shows a claim made through gRPC. */
bool claim_state_is_shown(const json_t *claim);
/* Key of ClaimController.by_uid, malloc'ed. */
char *claim_state_key(const char *ns, const char *uid);
/* The claim's uid in the state: its own, or that of the claim made through gRPC that it shows. */
const char *claim_state_uid(const json_t *claim);
/* An object's texts as the state takes them, borrowed, in pairs: there is room for all. Returns how many. */
size_t claim_state_pairs(const json_t *texts, StatePair *pairs);
/* Once for each claim and address: what the objects say holds, whether or not the data set knows it. */
void claim_state_restore(ClaimPass *p, const json_t *claim, const json_t *sandbox);
/* Takes a member that is not ready yet for the claim. FAILED_PRECONDITION: another has it; false: it has no address. */
bool claim_state_take(ClaimPass *p, const json_t *claim, const json_t *sandbox, StateDoneFn fn, void *arg);
/* The SandboxClaim is gone. */
void claim_state_let_go(ClaimController *cc, const json_t *claim);
/* The pass over an object that shows a claim made through gRPC: the state decides over it, claim_mirror writes what
 * there is to write, and what is left here is to take away an object that has no Sandbox and shows a claim that is no
 * more. Ends the pass. */
void claim_state_shown(ClaimPass *p, const json_t *claim);

#endif
