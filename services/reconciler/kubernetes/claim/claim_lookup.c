/* See claim_lookup.h. */
#include "services/reconciler/kubernetes/claim/claim_lookup.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"

typedef struct Found {
  const char *ns;
  const json_t *sandbox;
} Found;

static void take_first(void *arg, const json_t *sandbox) {
  Found *f = arg;
  if (!f->sandbox && str_equal(kube_namespace(sandbox), f->ns))
    f->sandbox = sandbox;
}

const json_t *claim_lookup_sandbox(const Cluster *c, const json_t *claim) {
  const char *ns = kube_namespace(claim), *uid = kube_uid(claim);
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, ns, kube_text(claim, "status.sandbox.name"));
  if (sandbox && kube_is_controlled_by(sandbox, uid))
    return sandbox;
  /* bound in an earlier pass that did not come to say so */
  Found f = {.ns = ns};
  cluster_each_of(c, CLUSTER_SANDBOX, uid, take_first, &f);
  return f.sandbox;
}

const json_t *claim_lookup_pool(const Cluster *c, const json_t *claim) {
  return cluster_get(c, CLUSTER_POOL, kube_namespace(claim), kube_text(claim, "spec.warmPoolRef.name"));
}

bool claim_lookup_is_v1alpha1(const Cluster *c, const json_t *claim) {
  return claim_is_v1alpha1_origin(claim, claim_lookup_pool(c, claim) != NULL);
}

char *claim_lookup_template_name(const Cluster *c, const json_t *claim) {
  const char *name = kube_text(claim_lookup_pool(c, claim), "spec.sandboxTemplateRef.name");
  if (name)
    return str_dup(name);
  return claim_lookup_is_v1alpha1(c, claim) ? claim_template_of_origin(claim) : NULL;
}

const json_t *claim_lookup_template(const Cluster *c, const json_t *claim) {
  CLEANUP(str_freep) char *name = claim_lookup_template_name(c, claim);
  return name ? cluster_get(c, CLUSTER_TEMPLATE, kube_namespace(claim), name) : NULL;
}
