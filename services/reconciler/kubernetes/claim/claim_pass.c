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
