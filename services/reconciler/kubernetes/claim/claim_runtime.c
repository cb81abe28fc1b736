/* How a claim with environment variables gets a warm Sandbox: Sandplane's runtime in it is bound to the claim, with the
 * values, before any object says whose it is.
 *
 * The values are in the record of the shared state from the moment that the member is the claim's, so whoever reaches
 * its runtime first brings them, and nobody brings others. A member that cannot be bound is nobody's afterwards: it is
 * destroyed, and the claim starts cold.
 */
#include "services/reconciler/kubernetes/claim/runtime_env.h"

#include <stdio.h>

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

#define KEEP_AGAIN_MS 5000

/* uid: the claim's in the state. The pass remembers whom it asked about, and for which claim. */
static PassNext ask(ClaimPass *p, const json_t *claim, const char *member, const char *id, const char *uid,
                    StateDoneFn fn) {
  snprintf(p->member, sizeof p->member, "%s", member);
  snprintf(p->uid, sizeof p->uid, "%s", kube_uid(claim));
  runtime_binder_bind(claim_pass_owner(p)->binder, p->pass.ns, id, uid, fn, p);
  return PASS_WAIT;
}

/* The claim that asked; NULL: it is gone, though there may be another of its name. */
static const json_t *asker(const ClaimPass *p) {
  const json_t *claim = claim_pass_claim(p);
  return claim && str_equal(kube_uid(claim), p->uid) ? claim : NULL;
}

static const json_t *member_of(const ClaimPass *p) {
  return cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->member);
}

static PassNext cold(ClaimPass *p, const json_t *claim, const char *why) {
  log_event(LOG_INFO, "claim_env_cold", LOG_STR("namespace", p->pass.ns), LOG_STR("claim", p->pass.name),
            LOG_STR("reason", why));
  snprintf(p->why_cold, sizeof p->why_cold, "%s", why);
  str_repair_utf8(p->why_cold);
  return claim_cold(p, claim);
}

/* ---- whether a member would take them ---- */

typedef struct Members {
  const json_t *ready;
  int n_unready;
} Members;

static void see(void *arg, const json_t *sandbox) {
  Members *m = arg;
  if (kube_is_deleting(sandbox))
    return;
  if (!member_is_ready(sandbox))
    m->n_unready++;
  else if (!m->ready && member_is_adoptable(sandbox))
    m->ready = sandbox;
}

static PassNext answered(ClaimPass *p, const Error *err) {
  const json_t *claim = asker(p), *member = member_of(p);
  if (!claim)
    return PASS_DONE;
  if (member_is_adoptable(member))
    runtime_binder_learn(claim_pass_owner(p)->binder, member, err);
  return err ? cold(p, claim, err->message) : PASS_LOOK;
}

static void on_answered(void *arg, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, answered(p, err));
}

PassNext claim_runtime_begin(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  RuntimeBinder *binder = claim_pass_owner(p)->binder;
  const json_t *pool = claim_lookup_pool(c, claim), *template = claim_lookup_template(c, claim);
  if (!pool || !template || claim_lookup_is_v1alpha1(c, claim))
    return claim_cold(p, claim);
  CLEANUP(str_freep) char *why = runtime_env_refusal(claim, template, kube_get(template, "spec.podTemplate.spec"));
  if (*why)
    return cold(p, claim, why);
  Members members = {0};
  cluster_each_of(c, CLUSTER_SANDBOX, kube_uid(pool), see, &members);
  if (!members.ready)
    return claim_cold_or_wait(p, claim, members.n_unready > 0);
  p->env = runtime_env_of(claim, template, kube_get(members.ready, "spec.podTemplate.spec"));
  if (!p->env)
    return cold(p, claim, "the pool's members are of an older template, which does not take them");
  RuntimeKnown known = runtime_binder_known(binder, members.ready);
  if (known == RUNTIME_MISSING)
    return cold(p, claim, "the pool's Pods do not answer as Sandplane's runtime, or no router is there to ask them");
  if (known == RUNTIME_THERE)
    return PASS_LOOK;
  const char *name = kube_name(members.ready);
  return ask(p, claim, name, name, "", on_answered);
}

/* ---- the member that it was given ---- */

/* Should the state not hear of it, it is let go when state and world are compared: the claim has another Sandbox. */
static PassNext let_go(ClaimPass *p, const json_t *claim, const char *id, const char *why) {
  claim_cold_release(p, id, kube_uid(claim), "RuntimeNotBound");
  return cold(p, claim, why);
}

static PassNext bound(ClaimPass *p, const Error *err) {
  const json_t *claim = asker(p), *member = member_of(p);
  if (!claim || !member_is_adoptable(member))
    return claim_cold_give_back(p, p->member, p->uid);
  if (!err)
    return claim_adopt(p, claim, member);
  runtime_binder_learn(claim_pass_owner(p)->binder, member, err);
  return let_go(p, claim, p->member, err->message);
}

static void on_bound(void *arg, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, bound(p, err));
}

/* What the record has is what the runtime gets: it must be what the objects will say. */
static bool has_values(const SandboxRecord *record, const json_t *env) {
  size_t n = 0;
  for (size_t i = 0; i < record->n_env; i++)
    n += str_equal(json_string_value(json_object_get(env, record->env[i].key)), record->env[i].value);
  return n == record->n_env && n == json_object_size(env);
}

PassNext claim_runtime_bind(ClaimPass *p, const json_t *claim, const SandboxRecord *record) {
  Cluster *c = p->pass.c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->pass.ns, record->id),
               *pod = cluster_get(c, CLUSTER_POD, p->pass.ns, record->id);
  KUBE_OWNED json_t *env =
      runtime_env_of(claim, claim_lookup_template(c, claim), kube_get(sandbox, "spec.podTemplate.spec"));
  if (!env || !has_values(record, env))
    return let_go(p, claim, record->id, "the member that it was given is of another template");
  if (!pod || kube_is_deleting(pod) || !kube_is_controlled_by(pod, kube_uid(sandbox)))
    return claim_cold_give_back(p, record->id, kube_uid(claim));
  return ask(p, claim, record->id, record->id, kube_uid(claim), on_bound);
}

/* ---- its Pod's containers were started again ---- */

static char *start_of(const json_t *pod) {
  return str_printf("%s/%lld", kube_uid(pod), (long long)kube_int(pod, "status.restarts", 0));
}

static PassNext kept(ClaimPass *p, const Error *err) {
  const json_t *pod = cluster_get(p->pass.c, CLUSTER_POD, p->pass.ns, p->member);
  if (!asker(p))
    return PASS_DONE;
  if (err) {
    log_event(LOG_WARN, "claim_not_bound_again", LOG_STR("namespace", p->pass.ns), LOG_STR("claim", p->pass.name),
              LOG_ERR(err));
    pass_again_in(&p->pass, KEEP_AGAIN_MS);
  } else if (pod) {
    CLEANUP(str_freep) char *start = start_of(pod);
    json_object_set_new(claim_pass_owner(p)->bound, p->uid, json_string(start));
  }
  return PASS_LOOK;
}

static void on_kept(void *arg, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, kept(p, err));
}

PassNext claim_runtime_keep(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  const char *pod_name = kube_annotation(sandbox, ANNOTATION_POD_NAME), *id = sandbox_read_id(sandbox);
  const json_t *pod = kube_annotation(sandbox, ANNOTATION_RUNTIME_ENV)
                          ? cluster_get(p->pass.c, CLUSTER_POD, kube_namespace(sandbox), pod_name)
                          : NULL;
  /* those of the first start were bound before it was adopted; those of a Pod made anew have it of themselves */
  if (!pod || p->bound_again || kube_int(pod, "status.restarts", 0) == 0 || !str_equal(kube_name(pod), id) ||
      kube_is_deleting(pod))
    return PASS_ON;
  CLEANUP(str_freep) char *start = start_of(pod);
  if (str_equal(json_string_value(json_object_get(claim_pass_owner(p)->bound, kube_uid(claim))), start))
    return PASS_ON;
  p->bound_again = true;
  return ask(p, claim, kube_name(pod), id, claim_state_uid(claim), on_kept);
}
