/* How a claim gets its Sandbox, and how that is kept in line with it; see claim_pass.h. */
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/cluster/handover.h"

PassNext claim_bind(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  const json_t *template = claim_lookup_template(c, claim);
  ClaimReject reject;
  if (cluster_get(c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name)) {
    error_set(&p->err, ERROR_FAILED_PRECONDITION,
              "sandbox \"%s\" is not controlled by claim \"%s\". Please use a different claim name or delete the "
              "sandbox manually",
              p->pass.name, p->pass.name);
    return claim_pass_reject(p, CLAIM_FAILED, NULL);
  }
  if (claim_check_metadata(claim, template, &claim_pass_owner(p)->domains, &reject, &p->err) != 0)
    return claim_pass_reject(p, reject, NULL);
  if (claim_needs_cold(claim))
    return claim_cold(p, claim);
  if (claim_has_env(claim) && !p->env)
    return claim_runtime_begin(p, claim);
  return claim_warm(p, claim);
}

static PassNext on_synced(void *pass, json_t *object, const Error *err) {
  return err ? claim_pass_reject(pass, CLAIM_FAILED, err) : PASS_LOOK;
}

PassNext claim_bind_sync(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  ClaimReject reject;
  const json_t *template = claim_lookup_template(c, claim);
  if (handover_is_open(c, sandbox))
    return claim_move_finish(p, sandbox);
  if (claim_check_metadata(claim, template, &claim_pass_owner(p)->domains, &reject, &p->err) != 0) {
    claim_pass_reject(p, reject, NULL);
    return PASS_ON;
  }
  if (!template && claim_has_metadata(claim)) {
    error_set(&p->err, ERROR_NOT_FOUND,
              "the template is not readable, and additionalPodMetadata must be checked against it");
    claim_pass_reject(p, CLAIM_FAILED, NULL);
    return PASS_ON;
  }
  KUBE_OWNED json_t *patch = claim_sync_patch(claim, sandbox, template);
  if (!patch)
    return PASS_ON;
  return pass_patch(&p->pass, CLUSTER_SANDBOX, kube_name(sandbox), NULL, patch, on_synced);
}
