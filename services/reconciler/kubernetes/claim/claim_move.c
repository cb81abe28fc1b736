/* A warm Pod moves from the member it was made for to a Sandbox that has the claim's own name: what clients of v1alpha1
 * look for. With it move the volume claims that it has mounted, which keep their names. Steps: the Sandbox, naming the
 * Pod and whose volumes it has; the owner of each volume claim; the Pod's owner; the member's object goes, and with it
 * what else is its own: its Service, which has its name. Each step can be repeated, and an open move is found again by
 * what the objects say (handover_is_open).
 *
 * Both Sandboxes are held meanwhile: their controller would take a Pod of another for a conflict.
 */
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/volume_claim.h"

/* The claim's own Sandbox has its name; the member, and its Pod, the second of those that are held. */
static const json_t *sandbox_of(const ClaimPass *p) {
  return cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
}

static const char *member_of(const ClaimPass *p) {
  return p->held[1];
}

static PassNext end(ClaimPass *p, const Error *err) {
  claim_pass_hold(p, "", "");
  if (err)
    claim_pass_reject(p, CLAIM_FAILED, err);
  return PASS_LOOK;
}

static PassNext on_member_gone(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  claim_report_got(p, member_of(p), true, true);
  return end(p, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static PassNext on_pod_moved(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (err)
    return end(p, err);
  const json_t *member = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, member_of(p));
  if (!member)
    return on_member_gone(p, NULL, NULL);
  return pass_delete(&p->pass, CLUSTER_SANDBOX, member, "Background", on_member_gone);
}

static PassNext move_pod(ClaimPass *p) {
  const json_t *sandbox = sandbox_of(p), *pod = cluster_get(p->pass.c, CLUSTER_POD, p->pass.ns, member_of(p));
  if (!sandbox || !pod)
    return end(p, NULL); /* the next look makes the best of it */
  if (kube_is_controlled_by(pod, kube_uid(sandbox)))
    return on_pod_moved(p, NULL, NULL);
  char hash[9];
  kube_name_hash(p->pass.name, hash);
  json_t *owners = json_array();
  json_array_append_new(owners, kube_owner_reference(AGENTS_V1BETA1, KIND_SANDBOX, p->pass.name, kube_uid(sandbox)));
  KUBE_OWNED json_t *patch = json_object();
  kube_set(patch, "metadata.uid", json_string(kube_uid(pod)));
  kube_set(patch, "metadata.ownerReferences", owners);
  kube_set_label(patch, LABEL_NAME_HASH, hash);
  return pass_patch(&p->pass, CLUSTER_POD, member_of(p), NULL, patch, on_pod_moved);
}

/* ---- the volumes: all of them before the Pod, so that none is left behind when the member goes ---- */

static PassNext move_volumes(ClaimPass *p);

static PassNext on_volume_moved(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (err && err->kind != ERROR_NOT_FOUND)
    return end(p, err);
  p->n_volumes++;
  return move_volumes(p);
}

static PassNext on_volume_read(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  const json_t *sandbox = sandbox_of(p);
  if (err || !sandbox)
    return on_volume_moved(p, NULL, err);
  KUBE_OWNED json_t *patch = volume_claim_move_patch(sandbox, member_of(p), object);
  if (!patch) /* moved before, or somebody's whom the Sandbox's own controller will name */
    return on_volume_moved(p, NULL, NULL);
  return pass_patch(&p->pass, CLUSTER_VOLUME_CLAIM, kube_name(object), NULL, patch, on_volume_moved);
}

/* Past the kept copies: they lack one whose label somebody took off. */
static PassNext move_volumes(ClaimPass *p) {
  const json_t *sandbox = sandbox_of(p);
  if (!sandbox)
    return end(p, NULL); /* the next look makes the best of it */
  if (p->n_volumes >= volume_claim_count(sandbox))
    return move_pod(p);
  CLEANUP(str_freep) char *name = volume_claim_name(sandbox, p->n_volumes);
  return pass_read(&p->pass, CLUSTER_VOLUME_CLAIM, name, on_volume_read);
}

static PassNext on_made(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  return err ? end(p, err) : move_volumes(p);
}

static void begin(ClaimPass *p, const char *member) {
  claim_pass_hold(p, p->pass.name, member);
  p->n_volumes = 0;
}

PassNext claim_move(ClaimPass *p, const json_t *claim, const json_t *member, const json_t *template) {
  ClaimReject reject = CLAIM_ACCEPTED;
  if (!template)
    return claim_pass_reject(p, CLAIM_TEMPLATE_NOT_FOUND, NULL);
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, p->pass.name, true, &reject, &p->err);
  if (!sandbox)
    return claim_pass_reject(p, reject, NULL);
  kube_set_annotation(sandbox, ANNOTATION_POD_NAME, kube_name(member));
  kube_set_annotation(sandbox, ANNOTATION_MEMBER, kube_name(member));
  kube_set_label(sandbox, LABEL_LAUNCH_TYPE, "warm");
  /* what runs is the member: its spec, should the template have changed since, and what is on its volumes */
  json_t *spec = kube_get(member, "spec.podTemplate.spec"), *volumes = kube_get(member, "spec.volumeClaimTemplates");
  if (spec)
    kube_set(sandbox, "spec.podTemplate.spec", json_incref(spec));
  if (volumes)
    kube_set(sandbox, "spec.volumeClaimTemplates", json_incref(volumes));
  else
    json_object_del(json_object_get(sandbox, "spec"), "volumeClaimTemplates");
  if (volume_claim_count(member) > 0)
    kube_set_annotation(sandbox, ANNOTATION_VOLUMES_OF, kube_name(member));
  begin(p, kube_name(member));
  return pass_create(&p->pass, CLUSTER_SANDBOX, sandbox, CLAIM_MANAGER, on_made);
}

/* An annotation alone gives nobody a Pod: the state must not say that another has it. */
static PassNext holder_known(ClaimPass *p, const SandboxRecord *r, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND)
    return end(p, err);
  if (err || (r->state == SANDBOX_CLAIMED && str_equal(r->uid, kube_uid(claim_pass_claim(p)))))
    return move_volumes(p);
  Error why = {0};
  error_set(&why, ERROR_FAILED_PRECONDITION, "Sandbox \"%s\" names Pod \"%s\", which is not this claim's", p->pass.name,
            member_of(p));
  return end(p, &why);
}

static void on_holder(void *arg, const SandboxRecord *r, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, holder_known(p, r, err));
}

PassNext claim_move_finish(ClaimPass *p, const json_t *sandbox) {
  begin(p, kube_annotation(sandbox, ANNOTATION_POD_NAME));
  state_get(p->pass.c->state, p->pass.ns, member_of(p), on_holder, p);
  return PASS_WAIT;
}
