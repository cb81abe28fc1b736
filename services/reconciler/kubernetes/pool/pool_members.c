/* What is wrong with the members of a pool, and is put right; see pool_pass.h. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/pool/pool_pass.h"
#include "services/reconciler/kubernetes/template/blueprint.h"

/* ---- one that is not ready ---- */

static bool is_unschedulable(Cluster *c, const json_t *sandbox) {
  const json_t *pod = cluster_get(c, CLUSTER_POD, kube_namespace(sandbox), kube_name(sandbox));
  const json_t *scheduled = kube_condition(kube_get(pod, "status.conditions"), "PodScheduled");
  return pod && !kube_is_deleting(pod) && str_equal(kube_text(scheduled, "status"), "False") &&
         str_equal(kube_text(scheduled, "reason"), "Unschedulable");
}

/* Since when it has not been ready: a probe that fails for a while, as on a busy node, is no reason to make another
 * one. */
static int64_t unready_since_ms(const json_t *sandbox) {
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  int64_t made_ms = kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp")),
          lost_ms = kube_parse_time(kube_text(ready, "lastTransitionTime"));
  return lost_ms > made_ms ? lost_ms : made_ms;
}

/* It cannot start, or has not been ready for a while, and its template was put right since: the next one does. Of
 * others that are stale the pool's strategy decides. */
static bool is_outdated(PoolPass *p, const json_t *pool, const json_t *sandbox, const MemberTrouble *t) {
  const json_t *template =
      cluster_get(p->pass.c, CLUSTER_TEMPLATE, p->pass.ns, kube_text(pool, "spec.sandboxTemplateRef.name"));
  return t->rank != TROUBLE_NONE && template && blueprint_differs(sandbox, template);
}

/* Not ready for longer than the grace period: no use waiting, but for a place to run, which a new one would not get
 * either. */
static void judge_unready(PoolPass *p, const json_t *pool, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  int64_t unready_ms = clock_wall_ms() - unready_since_ms(sandbox);
  int64_t left_ms = p->grace_ms - unready_ms;
  MemberTrouble t;
  member_trouble(sandbox, cluster_get(c, CLUSTER_POD, p->pass.ns, pod_tracked_name(sandbox)), unready_ms, &t);
  if (is_outdated(p, pool, sandbox, &t))
    return cluster_spoil(c, sandbox, false, "Stale", "it did not become ready, and its template is another now");
  if (t.rank == TROUBLE_NONE && unready_ms < MEMBER_PATIENCE_MS)
    pass_again_in(&p->pass, MEMBER_PATIENCE_MS - unready_ms);
  /* the same one each time, so that the same is said */
  bool is_worse = t.rank > p->trouble.rank || (t.rank == p->trouble.rank && strcmp(t.message, p->trouble.message) < 0);
  if (t.rank != TROUBLE_NONE && is_worse && !p->is_final)
    p->trouble = t;
  if (left_ms > 0) {
    uint16_t jitter;
    random_bytes(&jitter, sizeof jitter);
    pass_again_in(&p->pass, left_ms + 2000 + (left_ms + 2000) * (jitter % 500) / 1000);
  } else if (is_unschedulable(c, sandbox)) {
    p->n_held++;
  } else {
    cluster_spoil(c, sandbox, true, "NotReady", "the sandbox was not ready for too long");
  }
}

/* ---- all of a pool ---- */

static void tell_held(PoolPass *p, const json_t *pool) {
  CLEANUP(str_freep)
  char *note =
      p->n_held > 0 ? member_held_note(p->n_held, p->n_active, p->grace_ms) : str_dup("Warm pool is progressing again");
  event_record(p->pass.c, &(EventNote){.about = pool,
                                       .api_version = EXTENSIONS_V1BETA1,
                                       .kind = KIND_POOL,
                                       .warning = p->n_held > 0,
                                       .reason = p->n_held > 0 ? "WarmPoolNotProgressing" : "WarmPoolProgressing",
                                       .action = "Reconciling",
                                       .note = note,
                                       .controller = POOL_MANAGER});
}

void pool_members_judge(PoolPass *p, const json_t *pool) {
  Cluster *c = p->pass.c;
  const PoolTally *t = &pool_pass_owner(p)->tally;
  p->grace_ms = member_grace_ms(pool, c->config->readiness_grace_ms);
  p->n_active = pool_tally_active(t, kube_uid(pool));
  p->n_ready = pool_tally_ready(t, kube_uid(pool));
  KUBE_OWNED json_t *unready = json_copy(pool_tally_unready(t, kube_uid(pool)));
  const char *name;
  json_t *nothing;
  json_object_foreach(unready, name, nothing) {
    const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->pass.ns, name);
    if (sandbox && !kube_is_deleting(sandbox))
      judge_unready(p, pool, sandbox);
  }
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  bool was_held = json_object_get(pool_pass_owner(p)->held_up, key) != NULL;
  if (p->n_held > 0)
    pass_again_in(&p->pass, c->config->recheck_ms);
  if ((p->n_held > 0) == was_held)
    return;
  if (p->n_held > 0)
    json_object_set_new(pool_pass_owner(p)->held_up, key, json_true());
  else
    json_object_del(pool_pass_owner(p)->held_up, key);
  tell_held(p, pool);
}

static void collect(void *arg, const json_t *sandbox) {
  json_array_append(arg, (json_t *)sandbox);
}

void pool_members_drop(PoolPass *p) {
  Cluster *c = p->pass.c;
  char pool[STATE_NAME_MAX + 1];
  KUBE_OWNED json_t *sandboxes = json_array();
  cluster_each(c, CLUSTER_SANDBOX, collect, sandboxes);
  size_t i;
  json_t *sandbox;
  json_array_foreach(sandboxes, i, sandbox) {
    if (str_equal(kube_namespace(sandbox), p->pass.ns) && sandbox_read_is_member(sandbox) &&
        !kube_is_deleting(sandbox) && state_pool_of(kube_name(sandbox), pool) && str_equal(pool, p->state_name))
      cluster_spoil(c, sandbox, false, "PoolDeleted", "its SandboxWarmPool was deleted");
  }
}

/* ---- what somebody took off one ---- */

static void on_mended(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "member_not_mended", LOG_ERR(err));
}

void pool_members_mend(void *cluster, const json_t *sandbox) {
  Cluster *c = cluster;
  char name[STATE_NAME_MAX + 1], hash[9];
  const char *ns = kube_namespace(sandbox), *epoch = kube_annotation(sandbox, ANNOTATION_EPOCH);
  if (kube_is_deleting(sandbox) || !epoch || !str_equal(epoch, cluster_epoch(c)) ||
      !state_pool_of(kube_name(sandbox), name))
    return;
  const json_t *pool = state_names_pool(c, ns, name);
  kube_name_hash(pool ? kube_name(pool) : "", hash);
  if (!pool || kube_is_deleting(pool) || !str_equal(kube_label(sandbox, LABEL_POOL), hash))
    return;
  bool orphan = !kube_controller(sandbox);
  if (!orphan && !kube_is_controlled_by(sandbox, kube_uid(pool)))
    return;
  const json_t *template = cluster_get(c, CLUSTER_TEMPLATE, ns, kube_text(pool, "spec.sandboxTemplateRef.name"));
  if (orphan && template && blueprint_differs(sandbox, template))
    return cluster_spoil(c, sandbox, false, "Stale", "it lost its pool and is not of the template any more");
  KUBE_OWNED json_t *patch = member_mend_patch(sandbox, pool);
  if (patch)
    cluster_patch(c, CLUSTER_SANDBOX, ns, kube_name(sandbox), NULL, patch, CLUSTER_AWAITED, on_mended, NULL);
}
