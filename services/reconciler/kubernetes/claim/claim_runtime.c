/* How a claim with environment variables gets a warm Sandbox: Sandplane's runtime in it is bound to the claim, with the
 * values, before any object says whose it is.
 *
 * The values are in the record of the shared state from the moment that the member is the claim's, so whoever reaches
 * its runtime first brings them, and nobody brings others. A member that cannot be bound is nobody's afterwards: it is
 * destroyed, and the claim starts cold.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/claim_state.h"
#include "services/reconciler/kubernetes/claim/runtime_env.h"
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

#define KEEP_AGAIN_MS 5000

/* One question to a runtime, of a pass that waits for its answer. */
typedef struct Asking {
  ClaimPass *p;
  char *sandbox, *uid;
} Asking;

static Asking *asking_new(ClaimPass *p, const json_t *claim, const char *sandbox) {
  Asking *a = xmalloc(sizeof *a);
  *a = (Asking){p, str_dup(sandbox), str_dup(kube_uid(claim))};
  return a;
}

static void asking_free(Asking **a) {
  free((*a)->sandbox);
  free((*a)->uid);
  free(*a);
}

static void cold(ClaimPass *p, const json_t *claim, const char *why) {
  log_event(LOG_INFO, "claim_env_cold", LOG_STR("namespace", p->ns), LOG_STR("claim", p->name), LOG_STR("reason", why));
  snprintf(p->why_cold, sizeof p->why_cold, "%s", why);
  str_repair_utf8(p->why_cold);
  claim_bind_cold(p, claim);
}

/* The claim that asked; NULL: it is gone, and so is the pass. */
static const json_t *asker(Asking *a, const Error *err) {
  ClaimPass *p = a->p;
  const json_t *claim = cluster_get(p->cc->c, CLUSTER_CLAIM, p->ns, p->name);
  if (err && err->kind == ERROR_CANCELLED)
    p->err = *err;
  else if (claim && str_equal(kube_uid(claim), a->uid))
    return claim;
  return NULL;
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

static void on_answered(void *arg, const Error *err) {
  CLEANUP(asking_free) Asking *a = arg;
  ClaimPass *p = a->p;
  Cluster *c = p->cc->c;
  const json_t *claim = asker(a, err), *member = cluster_get(c, CLUSTER_SANDBOX, p->ns, a->sandbox);
  if (!claim)
    return claim_pass_end(p);
  if (member_is_adoptable(member))
    runtime_binder_learn(c->binder, member, err);
  if (err)
    cold(p, claim, err->message);
  else
    claim_bind_warm(p, claim);
}

void claim_runtime_begin(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  const json_t *pool = claim_bind_pool(c, claim), *template = claim_bind_template(c, claim);
  if (!pool || !template || claim_bind_is_v1alpha1(c, claim))
    return claim_bind_cold(p, claim);
  CLEANUP(str_freep) char *why = runtime_env_refusal(claim, template, kube_get(template, "spec.podTemplate.spec"));
  if (*why)
    return cold(p, claim, why);
  Members members = {0};
  kube_informer_each_of(c->informers[CLUSTER_SANDBOX], kube_uid(pool), see, &members);
  if (!members.ready)
    return claim_bind_without_member(p, claim, members.n_unready > 0);
  p->env = runtime_env_of(claim, template, kube_get(members.ready, "spec.podTemplate.spec"));
  RuntimeKnown known = runtime_binder_known(c->binder, members.ready);
  if (!p->env)
    return cold(p, claim, "the pool's members are of an older template, which does not take them");
  if (known == RUNTIME_MISSING)
    return cold(p, claim, "the pool's Pods do not answer as Sandplane's runtime, or no router is there to ask them");
  if (known == RUNTIME_THERE)
    return claim_bind_warm(p, claim);
  const char *name = kube_name(members.ready);
  runtime_binder_bind(c->binder, p->ns, name, "", on_answered, asking_new(p, claim, name));
}

/* ---- the member that it was given ---- */

static void on_released(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_released", LOG_ERR(err));
}

/* Should the state not hear of it, it is let go when state and world are compared: the claim has another Sandbox. */
static void let_go(ClaimPass *p, const json_t *claim, const char *id, const char *why) {
  state_release(p->cc->c->state, p->ns, id, kube_uid(claim), "RuntimeNotBound", on_released, NULL);
  cold(p, claim, why);
}

static void on_bound(void *arg, const Error *err) {
  CLEANUP(asking_free) Asking *a = arg;
  ClaimPass *p = a->p;
  Cluster *c = p->cc->c;
  const json_t *claim = asker(a, err), *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, a->sandbox);
  if (err && err->kind == ERROR_CANCELLED)
    return claim_pass_end(p);
  if (!claim || !member_is_adoptable(sandbox))
    return claim_bind_give_back(p, a->sandbox, a->uid);
  if (!err)
    return claim_bind_adopt(p, claim, sandbox);
  runtime_binder_learn(c->binder, sandbox, err);
  let_go(p, claim, a->sandbox, err->message);
}

/* What the record has is what the runtime gets: it must be what the objects will say. */
static bool has_values(const SandboxRecord *record, const json_t *env) {
  size_t n = 0;
  for (size_t i = 0; i < record->n_env; i++)
    n += str_equal(json_string_value(json_object_get(env, record->env[i].key)), record->env[i].value);
  return n == record->n_env && n == json_object_size(env);
}

void claim_runtime_bind(ClaimPass *p, const json_t *claim, const SandboxRecord *record) {
  Cluster *c = p->cc->c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, record->id),
               *pod = cluster_get(c, CLUSTER_POD, p->ns, record->id);
  KUBE_OWNED json_t *env =
      runtime_env_of(claim, claim_bind_template(c, claim), kube_get(sandbox, "spec.podTemplate.spec"));
  if (!env || !has_values(record, env))
    return let_go(p, claim, record->id, "the member that it was given is of another template");
  if (!pod || kube_is_deleting(pod) || !kube_is_controlled_by(pod, kube_uid(sandbox)))
    return claim_bind_give_back(p, record->id, kube_uid(claim));
  runtime_binder_bind(c->binder, p->ns, record->id, kube_uid(claim), on_bound, asking_new(p, claim, record->id));
}

/* ---- its Pod's containers were started again ---- */

static char *start_of(const json_t *pod) {
  return str_printf("%s/%lld", kube_uid(pod), (long long)kube_int(pod, "status.restarts", 0));
}

static const json_t *pod_of(Cluster *c, const json_t *sandbox) {
  return cluster_get(c, CLUSTER_POD, kube_namespace(sandbox), kube_annotation(sandbox, ANNOTATION_POD_NAME));
}

static void on_kept(void *arg, const Error *err) {
  CLEANUP(asking_free) Asking *a = arg;
  ClaimPass *p = a->p;
  const json_t *claim = asker(a, err), *pod = cluster_get(p->cc->c, CLUSTER_POD, p->ns, a->sandbox);
  if (!claim)
    return claim_pass_end(p);
  if (err) {
    log_event(LOG_WARN, "claim_not_bound_again", LOG_STR("namespace", p->ns), LOG_STR("claim", p->name), LOG_ERR(err));
    p->again_ms = p->again_ms > 0 && p->again_ms < KEEP_AGAIN_MS ? p->again_ms : KEEP_AGAIN_MS;
  } else if (pod) {
    CLEANUP(str_freep) char *start = start_of(pod);
    json_object_set_new(p->cc->bound, a->uid, json_string(start));
  }
  claim_pass_look(p);
}

bool claim_runtime_keep(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->cc->c;
  const json_t *pod = kube_annotation(sandbox, ANNOTATION_RUNTIME_ENV) ? pod_of(c, sandbox) : NULL;
  /* those of the first start were bound before it was adopted; those of a Pod made anew have it of themselves */
  if (!pod || p->bound_again || kube_int(pod, "status.restarts", 0) == 0 ||
      !str_equal(kube_name(pod), sandbox_read_id(sandbox)) || kube_is_deleting(pod))
    return false;
  CLEANUP(str_freep) char *start = start_of(pod);
  if (str_equal(json_string_value(json_object_get(p->cc->bound, kube_uid(claim))), start))
    return false;
  p->bound_again = true;
  runtime_binder_bind(c->binder, p->ns, sandbox_read_id(sandbox), claim_state_uid(claim), on_kept,
                      asking_new(p, claim, kube_name(pod)));
  return true;
}
