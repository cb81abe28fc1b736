/* One pass over one SandboxClaim, as its parts share it. Each part goes on with those above it here, and none the other
 * way:
 *
 *   claim_pass     what is refused, who is held up
 *   claim_report   status, annotations, events, metrics
 *   claim_state    what objects and shared state tell each other
 *   claim_cold     a Sandbox of its own
 *   claim_move     a warm Pod under the claim's own name
 *   claim_adopt    the member it was given
 *   claim_runtime  environment variables of a warm one
 *   claim_warm     a member of a pool
 *   claim_bind     which of these, and keeping the Sandbox in line
 *   claim_expiry   its end
 *   claim_controller  the order of things, how a pass ends, who is woken
 *
 * Where a step says how to go on, PASS_LOOK is: the next thing that is missing, or the status.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_PASS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_PASS_H_

#include "services/reconciler/kubernetes/claim/claim_rules.h"
#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"

#define CLAIM_MANAGER "sandboxclaim-controller"

typedef struct ClaimController {
  Controller *k;
  Cluster *c;
  RuntimeBinder *binder;
  ClaimDomains domains;
  char *domains_text; /* that they were parsed from */
  LoopTimer *domains_timer;
  json_t *by_uid;   /* "namespace/uid in the state" -> name */
  json_t *restored; /* uid -> the address that the shared state has been told of */
  json_t *seen;     /* claim uid -> when it was first observed, RFC 3339 with nanoseconds */
  json_t *bound;    /* claim uid -> the start of its Pod's containers that was bound last, see claim_runtime_keep */
} ClaimController;

typedef struct ClaimPass {
  Pass pass;
  /* How it went so far. */
  ClaimReject reject;
  Error err; /* the text of reject */
  /* The Sandbox it got in this pass: told when the claim is Ready, for a client waits for that and for nothing else. */
  char got[256];
  bool got_warm, got_ready;
  char why_cold[256]; /* of a claim with env: why it cannot have a warm one; empty: no such reason */
  /* Sandboxes whose own controller waits, "" none: the one being adopted until the pass ends, for the same reason; both
   * while a Pod moves. */
  char held[2][256];
  bool expired;
  bool was_ready; /* before the status that is being written */
  /* Pools still to be asked, of a claim that names a template only. */
  json_t *pools;
  json_t *env;      /* NAME -> value, for the runtime of a warm Sandbox; NULL: none, or not known to be taken */
  bool bound_again; /* or tried */
  /* The member that a question is about, and the uid of the claim that it was asked for. */
  char member[256], uid[64];
  size_t n_volumes; /* of its own, that have moved (claim_move) */
  /* Adoption: writes that are not answered, of the two that go out together; what the Sandbox's was answered. */
  int n_writes;
  json_t *adopted;
  Error adopt_err;
} ClaimPass;

static inline ClaimController *claim_pass_owner(const ClaimPass *p) {
  return p->pass.owner;
}
/* The claim as it is now; NULL: it is gone. */
const json_t *claim_pass_claim(const ClaimPass *p);
/* err NULL: p->err is set already. PASS_LOOK: the status says it. */
PassNext claim_pass_reject(ClaimPass *p, ClaimReject reject, const Error *err);
/* Keeps the Sandboxes' own controller away until the pass ends or holds others; "": none. */
void claim_pass_hold(ClaimPass *p, const char *one, const char *other);

/* Which Sandbox is the claim's, as clients read right after Ready: a patch for the claim; NULL: it says so. */
json_t *claim_report_assignment(ClaimPass *p, const json_t *claim, const char *sandbox_name);
/* Writes status, then annotations. sandbox NULL: it has none. */
PassNext claim_report(ClaimPass *p, const json_t *claim, const json_t *sandbox);
void claim_report_event(ClaimPass *p, const json_t *claim, const char *reason, const char *action, const char *note);
/* It got a Sandbox, warm from its pool or made for it. */
void claim_report_got(ClaimPass *p, const char *sandbox_name, bool warm, bool ready);
/* At the end of the pass: event and count of what it got, if anything. */
void claim_report_tell(ClaimPass *p);

/* What SandboxClaims and the shared state have to tell each other (claim_state.c). The state says who gets a member;
 * once the objects say it too, they are what the state is made from again. */

/* An object's texts as the state takes them; the array is malloc'ed, its texts borrowed. */
StatePair *claim_state_pairs(const json_t *texts, size_t *ret_n);
/* Once for each claim and address: what the objects say holds, whether or not the data set knows it. */
void claim_state_restore(ClaimPass *p, const json_t *claim, const json_t *sandbox);
/* Takes a member that is not ready yet for the claim. FAILED_PRECONDITION: another has it; false: it has no address. */
bool claim_state_take(ClaimPass *p, const json_t *claim, const json_t *sandbox, StateDoneFn fn, void *arg);
/* The SandboxClaim is gone. */
void claim_state_let_go(Cluster *c, const json_t *claim);
/* The pass over an object that shows a claim made through gRPC: the state decides over it, claim_mirror writes what
 * there is to write, and what is left here is to take away an object that has no Sandbox and shows a claim that is no
 * more. */
PassNext claim_state_shown(ClaimPass *p, const json_t *claim);

/* A Sandbox of its own, at once or when nothing is worth waiting for. */
PassNext claim_cold(ClaimPass *p, const json_t *claim);
PassNext claim_cold_or_wait(ClaimPass *p, const json_t *claim, bool worth_waiting);
/* Lets go of the member id, which the claim uid was given, and is not waited for. */
void claim_cold_release(ClaimPass *p, const char *id, const char *uid, const char *reason);
/* The member went while it was given: let go of, and asked again. */
PassNext claim_cold_give_back(ClaimPass *p, const char *id, const char *uid);

/* A warm Pod moves from the member it was made for to a Sandbox that has the claim's own name (claim_move.c). */
PassNext claim_move(ClaimPass *p, const json_t *claim, const json_t *member, const json_t *template);
/* Carries on what an earlier pass began (handover_is_open). */
PassNext claim_move_finish(ClaimPass *p, const json_t *sandbox);

/* Makes the member the claim's by the objects, as it is by the state. */
PassNext claim_adopt(ClaimPass *p, const json_t *claim, const json_t *sandbox);

/* A claim with env: finds out whether a member would take it; p->env is set when it looks again, or it goes cold. */
PassNext claim_runtime_begin(ClaimPass *p, const json_t *claim);
/* It was given a member by the state: has the member's runtime bound, then adopts it; where that cannot be, lets go of
 * it and goes on cold. */
PassNext claim_runtime_bind(ClaimPass *p, const json_t *claim, const SandboxRecord *record);
/* The containers of its Pod were started again since: the new runtime is bound before anything is reported. PASS_ON:
 * they were not. */
PassNext claim_runtime_keep(ClaimPass *p, const json_t *claim, const json_t *sandbox);

/* A member of a pool, with p->env. */
PassNext claim_warm(ClaimPass *p, const json_t *claim);

/* Begins whatever is missing for the claim to have a Sandbox. */
PassNext claim_bind(ClaimPass *p, const json_t *claim);
/* Brings the bound Sandbox in line with the claim. PASS_ON: it is. */
PassNext claim_bind_sync(ClaimPass *p, const json_t *claim, const json_t *sandbox);

/* It has expired: says so, then acts by its policy. sandbox NULL: it has none. */
PassNext claim_expire(ClaimPass *p, const json_t *claim, const json_t *sandbox);

#endif
