/* See claim_move.h. Both Sandboxes are held meanwhile: their controller would take a Pod of another for a conflict. */
#include "services/reconciler/kubernetes/claim/claim_move.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/volume_claim.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"

typedef struct Move {
  ClaimPass *p;
  char *member;     /* name of the member and of its Pod */
  size_t n_volumes; /* of the Sandbox's, that are done with */
} Move;

static void hold(Move *m, bool held) {
  SandboxController *s = m->p->cc->c->sandboxes;
  sandbox_controller_hold(s, m->p->ns, m->p->name, held);
  sandbox_controller_hold(s, m->p->ns, m->member, held);
}

static void end(Move *m, const Error *err) {
  ClaimPass *p = m->p;
  hold(m, false);
  free(m->member);
  free(m);
  if (err)
    claim_pass_reject(p, CLAIM_FAILED, err);
  claim_pass_look(p);
}

static void on_member_gone(void *arg, json_t *object, const Error *err) {
  Move *m = arg;
  ClaimPass *p = m->p;
  claim_report_got(p, m->member, true, true);
  end(m, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static void on_pod_moved(void *arg, json_t *object, const Error *err) {
  Move *m = arg;
  Cluster *c = m->p->cc->c;
  if (err)
    return end(m, err);
  const json_t *member = cluster_get(c, CLUSTER_SANDBOX, m->p->ns, m->member);
  if (!member)
    return on_member_gone(m, NULL, NULL);
  cluster_delete(c, CLUSTER_SANDBOX, member, "Background", on_member_gone, m);
}

static void move_pod(Move *m) {
  ClaimPass *p = m->p;
  Cluster *c = p->cc->c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, p->name),
               *pod = cluster_get(c, CLUSTER_POD, p->ns, m->member);
  if (!sandbox || !pod)
    return end(m, NULL); /* the next look makes the best of it */
  char hash[9];
  kube_name_hash(p->name, hash);
  json_t *owners = json_array();
  json_array_append_new(owners, kube_owner_reference(AGENTS_V1BETA1, KIND_SANDBOX, p->name, kube_uid(sandbox)));
  KUBE_OWNED json_t *patch = json_object();
  kube_set(patch, "metadata.uid", json_string(kube_uid(pod)));
  kube_set(patch, "metadata.ownerReferences", owners);
  kube_set_label(patch, LABEL_NAME_HASH, hash);
  cluster_patch(c, CLUSTER_POD, p->ns, m->member, NULL, patch, on_pod_moved, m);
}

static void look_at_pod(Move *m) {
  ClaimPass *p = m->p;
  const json_t *sandbox = cluster_get(p->cc->c, CLUSTER_SANDBOX, p->ns, p->name);
  if (sandbox && kube_is_controlled_by(cluster_get(p->cc->c, CLUSTER_POD, p->ns, m->member), kube_uid(sandbox)))
    on_pod_moved(m, NULL, NULL);
  else
    move_pod(m);
}

/* ---- the volumes: all of them before the Pod, so that none is left behind when the member goes ---- */

static void move_volumes(Move *m);

static void on_volume_moved(void *arg, json_t *object, const Error *err) {
  Move *m = arg;
  if (err && err->kind != ERROR_NOT_FOUND)
    return end(m, err);
  m->n_volumes++;
  move_volumes(m);
}

static void on_volume_read(void *arg, json_t *object, const Error *err) {
  Move *m = arg;
  ClaimPass *p = m->p;
  Cluster *c = p->cc->c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, p->name);
  if (err || !sandbox)
    return on_volume_moved(m, NULL, err);
  KUBE_OWNED json_t *patch = volume_claim_move_patch(sandbox, m->member, object);
  if (!patch) /* moved before, or somebody's whom the Sandbox's own controller will name */
    return on_volume_moved(m, NULL, NULL);
  cluster_patch(c, CLUSTER_VOLUME_CLAIM, p->ns, kube_name(object), NULL, patch, on_volume_moved, m);
}

/* Past the kept copies: they lack one whose label somebody took off. */
static void move_volumes(Move *m) {
  ClaimPass *p = m->p;
  Cluster *c = p->cc->c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, p->name);
  if (!sandbox)
    return end(m, NULL); /* the next look makes the best of it */
  if (m->n_volumes >= volume_claim_count(sandbox))
    return look_at_pod(m);
  CLEANUP(str_freep) char *name = volume_claim_name(sandbox, m->n_volumes);
  cluster_read(c, CLUSTER_VOLUME_CLAIM, p->ns, name, on_volume_read, m);
}

static void on_made(void *arg, json_t *object, const Error *err) {
  Move *m = arg;
  if (err)
    return end(m, err);
  move_volumes(m);
}

static Move *move_new(ClaimPass *p, const char *member) {
  Move *m = xmalloc(sizeof *m);
  *m = (Move){.p = p, .member = str_dup(member)};
  hold(m, true);
  return m;
}

void claim_move(ClaimPass *p, const json_t *claim, const json_t *member, const json_t *template) {
  ClaimReject reject = CLAIM_ACCEPTED;
  if (!template) {
    claim_pass_reject(p, CLAIM_TEMPLATE_NOT_FOUND, NULL);
    return claim_pass_look(p);
  }
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, p->name, true, &reject, &p->err);
  if (!sandbox) {
    claim_pass_reject(p, reject, NULL);
    return claim_pass_look(p);
  }
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
  cluster_create(p->cc->c, CLUSTER_SANDBOX, p->ns, sandbox, CLAIM_MANAGER, on_made, move_new(p, kube_name(member)));
}

/* An annotation alone gives nobody a Pod: the state must not say that another has it. */
static void on_holder(void *arg, const SandboxRecord *r, const Error *err) {
  Move *m = arg;
  ClaimPass *p = m->p;
  Cluster *c = p->cc->c;
  if (err && err->kind != ERROR_NOT_FOUND)
    return end(m, err);
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->ns, p->name);
  if (!err && (r->state != SANDBOX_CLAIMED || !str_equal(r->uid, kube_uid(claim)))) {
    Error why = {0};
    error_set(&why, ERROR_FAILED_PRECONDITION, "Sandbox \"%s\" names Pod \"%s\", which is not this claim's", p->name,
              m->member);
    return end(m, &why);
  }
  move_volumes(m);
}

void claim_move_finish(ClaimPass *p, const json_t *sandbox) {
  const char *member = kube_annotation(sandbox, ANNOTATION_POD_NAME);
  state_get(p->cc->c->state, p->ns, member, on_holder, move_new(p, member));
}
