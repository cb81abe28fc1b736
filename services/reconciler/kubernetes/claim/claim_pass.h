/* One pass over one SandboxClaim, as its parts share it: claim_controller (order of things), claim_bind (finding or
 * making the Sandbox), claim_runtime (environment variables of a warm one), claim_report (status, annotations, events,
 * metrics).
 *
 * As in sandbox_controller: look, do the first thing that is missing, look again.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_PASS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_PASS_H_

#include "services/reconciler/kubernetes/claim/claim_controller.h"
#include "services/reconciler/kubernetes/claim/claim_reject.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

#define CLAIM_MANAGER "sandboxclaim-controller"

struct ClaimController {
  Cluster *c;
  KubeQueue *queue;
  ClaimDomains domains;
  char *domains_text; /* that they were parsed from */
  LoopTimer *domains_timer;
  json_t *by_uid;   /* claim_state_key -> name */
  json_t *restored; /* uid -> the address that the shared state has been told of */
  json_t *seen;     /* claim uid -> when it was first observed, RFC 3339 with nanoseconds */
  json_t *bound;    /* claim uid -> the start of its Pod's containers that was bound last, see claim_runtime_keep */
};

typedef struct ClaimPass {
  ClaimController *cc;
  KubeTask *task;
  char ns[256], name[256];
  int looks;
  /* How it went so far. */
  ClaimReject reject;
  Error err; /* the text of reject */
  /* The Sandbox it got in this pass: told when the claim is Ready, for a client waits for that and for nothing else. */
  char got[256];
  bool got_warm, got_ready;
  char why_cold[256]; /* of a claim with env: why it cannot have a warm one; empty: no such reason */
  /* Being adopted; its own controller waits until the pass ends, for the same reason. */
  char held[256];
  bool expired;
  int64_t again_ms; /* when to look again, 0: no need */
  bool silent;      /* end without touching the status: it would be wrong in a moment */
  /* Pools still to be asked, of a claim that names a template only. */
  json_t *pools;
  json_t *env;      /* NAME -> value, for the runtime of a warm Sandbox; NULL: none, or not known to be taken */
  bool bound_again; /* or tried */
} ClaimPass;

/* Looks again: the next thing, or the status. */
void claim_pass_look(ClaimPass *p);
/* Ends it as p->reject says. */
void claim_pass_end(ClaimPass *p);
/* Keeps the Sandbox's own controller away until the pass ends; one at a time. */
void claim_pass_hold(ClaimPass *p, const char *sandbox_name);
void claim_pass_reject(ClaimPass *p, ClaimReject reject, const Error *err);

/* The Sandbox that the claim has; NULL: none yet. */
const json_t *claim_bind_sandbox(ClaimPass *p, const json_t *claim);
/* Begins whatever is missing for the claim to have one; it ends in claim_pass_look or claim_pass_end. */
void claim_bind(ClaimPass *p, const json_t *claim);
/* Its ways on: a member of a pool, with p->env; the member it was given; a Sandbox of its own, at once or when nothing
 * is worth waiting for. Each ends as claim_bind does. */
void claim_bind_warm(ClaimPass *p, const json_t *claim);
void claim_bind_adopt(ClaimPass *p, const json_t *claim, const json_t *sandbox);
void claim_bind_cold(ClaimPass *p, const json_t *claim);
void claim_bind_without_member(ClaimPass *p, const json_t *claim, bool worth_waiting);
/* The member went while it was given to the claim uid, which asks again. */
void claim_bind_give_back(ClaimPass *p, const char *id, const char *uid);
/* Of the pool that it names, and of the template behind it; NULL: there is none, or no telling. */
const json_t *claim_bind_pool(Cluster *c, const json_t *claim);
const json_t *claim_bind_template(Cluster *c, const json_t *claim);
bool claim_bind_is_v1alpha1(Cluster *c, const json_t *claim);

/* A claim with env: finds out whether a member would take it, and goes on warm or cold. */
void claim_runtime_begin(ClaimPass *p, const json_t *claim);
/* It was given a member by the state: has the member's runtime bound, then adopts it; where that cannot be, lets go of
 * it and goes on cold. */
void claim_runtime_bind(ClaimPass *p, const json_t *claim, const SandboxRecord *record);
/* The containers of its Pod were started again since: the new runtime is bound before anything is reported. True: under
 * way. */
bool claim_runtime_keep(ClaimPass *p, const json_t *claim, const json_t *sandbox);

/* Brings the bound Sandbox in line with the claim; true: a write is under way. */
bool claim_bind_sync(ClaimPass *p, const json_t *claim, const json_t *sandbox);
/* Name of the template behind the claim, malloc'ed; NULL: not to be known. */
char *claim_bind_template_name(Cluster *c, const json_t *claim);

/* Writes on the claim which Sandbox is its, as clients read right after Ready: beside another write, for nobody should
 * wait for it. fn may come before this returns, when there is nothing to write. */
void claim_report_assign(ClaimPass *p, const char *sandbox_name, KubeDoneFn fn, void *arg);
/* Writes status, then annotations; ends the pass. */
void claim_report(ClaimPass *p, const json_t *claim, const json_t *sandbox);
void claim_report_event(ClaimPass *p, const json_t *claim, const char *reason, const char *action, const char *note);
/* It got a Sandbox, warm from its pool or made for it. */
void claim_report_got(ClaimPass *p, const char *sandbox_name, bool warm, bool ready);
/* At the end of the pass: event and count of what it got, if anything. */
void claim_report_tell(ClaimPass *p);

#endif
