/* See claim_pass.h. */
#include "services/reconciler/kubernetes/claim/claim_pass.h"

#include <stdio.h>

const json_t *claim_pass_claim(const ClaimPass *p) {
  return cluster_get(p->pass.c, CLUSTER_CLAIM, p->pass.ns, p->pass.name);
}

PassNext claim_pass_reject(ClaimPass *p, ClaimReject reject, const Error *err) {
  p->reject = reject;
  if (err)
    p->err = *err;
  return PASS_LOOK;
}

void claim_pass_hold(ClaimPass *p, const char *one, const char *other) {
  const char *const names[] = {one, other};
  for (size_t i = 0; i < ARRAY_LEN(names); i++) {
    if (*p->held[i])
      controller_hold(p->pass.c->sandboxes, p->pass.ns, p->held[i], false);
    snprintf(p->held[i], sizeof p->held[i], "%s", names[i]);
    if (*p->held[i])
      controller_hold(p->pass.c->sandboxes, p->pass.ns, p->held[i], true);
  }
}

PassEnd claim_pass_end(void *pass) {
  ClaimPass *p = pass;
  if (p->pass.err.kind != ERROR_NONE)
    claim_pass_reject(p, CLAIM_FAILED, &p->pass.err);
  claim_pass_hold(p, "", "");
  claim_report_tell(p);
  if (p->reject == CLAIM_FAILED)
    p->pass.err = p->err;
  json_decref(p->pools);
  json_decref(p->env);
  json_decref(p->adopted);
  int64_t again_ms = p->pass.again_ms, retry_ms = claim_reject_retry_ms(p->reject);
  if (p->reject == CLAIM_ACCEPTED || claim_reject_is_final(p->reject))
    return (PassEnd){false, again_ms};
  if (retry_ms > 0)
    return (PassEnd){false, again_ms > 0 && again_ms < retry_ms ? again_ms : retry_ms};
  return (PassEnd){true, p->err.retry_after_ms};
}
