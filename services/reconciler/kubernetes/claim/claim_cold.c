/* A claim gets a Sandbox of its own; see claim_pass.h. */
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define ASK_AGAIN_MS 100

static PassNext on_made(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (err && err->kind == ERROR_ALREADY_EXISTS)
    return claim_pass_reject(p, CLAIM_CREATE_PENDING, NULL);
  if (err)
    return claim_pass_reject(p, err->kind == ERROR_INVALID_ARGUMENT ? CLAIM_INVALID_CONFIGURATION : CLAIM_FAILED, err);
  claim_report_got(p, p->pass.name, false, false);
  return PASS_LOOK;
}

PassNext claim_cold(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  bool old_client = claim_lookup_is_v1alpha1(c, claim);
  const json_t *template = claim_lookup_template(c, claim);
  ClaimReject reject = CLAIM_ACCEPTED;
  if (!template) {
    bool is_named = claim_lookup_pool(c, claim) || old_client;
    return claim_pass_reject(p, is_named ? CLAIM_TEMPLATE_NOT_FOUND : CLAIM_POOL_NOT_FOUND, NULL);
  }
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, p->pass.name, old_client, &reject, &p->err);
  if (!sandbox)
    return claim_pass_reject(p, reject, NULL);
  if (*p->why_cold)
    kube_set_annotation(sandbox, ANNOTATION_COLD_REASON, p->why_cold);
  return pass_create(&p->pass, CLUSTER_SANDBOX, sandbox, CLAIM_MANAGER, on_made);
}

PassNext claim_cold_or_wait(ClaimPass *p, const json_t *claim, bool worth_waiting) {
  int64_t age_ms = clock_wall_ms() - kube_parse_time(kube_text(claim, "metadata.creationTimestamp"));
  if (!worth_waiting || age_ms >= p->pass.c->config->candidate_grace_ms)
    return claim_cold(p, claim);
  /* nothing is said: it would be wrong in a moment */
  p->pass.again_ms = ASK_AGAIN_MS;
  return PASS_DONE;
}

static void on_released(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_released", LOG_ERR(err));
}

void claim_cold_release(ClaimPass *p, const char *id, const char *uid, const char *reason) {
  state_release(p->pass.c->state, p->pass.ns, id, uid, reason, on_released, NULL);
}

PassNext claim_cold_give_back(ClaimPass *p, const char *id, const char *uid) {
  claim_cold_release(p, id, uid, "Gone");
  p->pass.again_ms = ASK_AGAIN_MS;
  return PASS_DONE;
}
