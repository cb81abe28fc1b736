/* What becomes of a claim that has expired; see claim_pass.h. */
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"

static PassNext on_gone(void *pass, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    claim_pass_reject(pass, CLAIM_FAILED, err);
  return PASS_DONE;
}

static PassNext on_sandbox_gone(void *pass, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    return on_gone(pass, NULL, err);
  return PASS_LOOK;
}

/* It is marked already: act by its policy. */
static PassNext clean_up(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  const char *policy = claim_shutdown_policy(claim);
  if (!str_equal(policy, "Retain")) {
    CLEANUP(str_freep) char *note = str_printf("Deleting Claim (ShutdownPolicy=%s)", policy);
    claim_report_event(p, claim, "ClaimExpired", "Deleting", note);
    bool foreground = str_equal(policy, "DeleteForeground");
    return pass_delete(&p->pass, CLUSTER_CLAIM, claim, foreground ? "Foreground" : "Background", on_gone);
  }
  const char *name = kube_text(claim, "status.sandbox.name");
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->pass.ns, name ? name : p->pass.name);
  if (sandbox && !kube_is_controlled_by(sandbox, kube_uid(claim))) {
    error_set(&p->err, ERROR_FAILED_PRECONDITION, "Sandbox \"%s\" is not controlled by claim \"%s\"",
              kube_name(sandbox), p->pass.name);
    claim_pass_reject(p, CLAIM_NOT_OWNED, NULL);
  } else if (sandbox && !kube_is_deleting(sandbox)) {
    return pass_delete(&p->pass, CLUSTER_SANDBOX, sandbox, "Background", on_sandbox_gone);
  }
  return claim_report(p, claim, p->reject == CLAIM_NOT_OWNED ? NULL : sandbox);
}

PassNext claim_expire(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  const json_t *ready = kube_condition(kube_get(claim, "status.conditions"), "Ready");
  if (str_equal(kube_text(ready, "reason"), "ClaimExpired"))
    return clean_up(p, claim);
  claim_report_event(p, claim, "ClaimExpired", "Claim Expired", "Claim expired");
  p->pass.again_ms = 1;
  return claim_report(p, claim, sandbox);
}
