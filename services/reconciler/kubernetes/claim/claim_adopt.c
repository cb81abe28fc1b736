/* The member that a claim was given by the state becomes its own by the objects; see claim_pass.h. */
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/pool/member.h"

static PassNext on_read_again(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (!err)
    cluster_put(p->pass.c, CLUSTER_SANDBOX, object);
  else if (err->kind != ERROR_NOT_FOUND)
    claim_pass_reject(p, CLAIM_FAILED, err);
  return PASS_LOOK;
}

static PassNext after_adoption(ClaimPass *p) {
  const Error *err = p->adopt_err.kind == ERROR_NONE ? NULL : &p->adopt_err;
  /* it was changed meanwhile, its status as a rule; it is still ours by the state */
  if (err && err->kind == ERROR_ABORTED)
    return pass_read(&p->pass, CLUSTER_SANDBOX, p->held[0], on_read_again);
  if (err && err->kind != ERROR_NOT_FOUND)
    return claim_pass_reject(p, CLAIM_FAILED, err);
  if (!err)
    claim_report_got(p, p->held[0], true, member_is_ready(p->adopted));
  return PASS_LOOK;
}

static void one_less(ClaimPass *p) {
  if (--p->n_writes == 0 && !pass_is_cancelled(&p->pass, &p->adopt_err))
    pass_go(&p->pass, after_adoption(p));
}

static void on_adopted(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  json_decref(p->adopted);
  p->adopted = json_incref(object);
  p->adopt_err = err ? *err : (Error){0};
  one_less(p);
}

/* Should it have failed, the status does not say Ready before it is written (claim_report.c). But where all ends, the
 * pass ends too: what it would go on with is gone. */
static void on_assigned(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err && err->kind == ERROR_CANCELLED)
    p->adopt_err = *err;
  one_less(p);
}

PassNext claim_adopt(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  const json_t *template = claim_lookup_template(c, claim);
  if (claim_lookup_is_v1alpha1(c, claim))
    return claim_move(p, claim, sandbox, template);
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, template);
  claim_pass_hold(p, kube_name(sandbox), "");
  KUBE_OWNED json_t *assignment = claim_report_assignment(p, claim, p->held[0]);
  /* both at once, for nobody should wait for the second */
  p->n_writes = assignment ? 2 : 1;
  if (assignment)
    cluster_patch(c, CLUSTER_CLAIM, p->pass.ns, p->pass.name, NULL, assignment, CLUSTER_AWAITED, on_assigned, p);
  cluster_patch(c, CLUSTER_SANDBOX, p->pass.ns, p->held[0], NULL, patch, CLUSTER_AWAITED, on_adopted, p);
  return PASS_WAIT;
}
