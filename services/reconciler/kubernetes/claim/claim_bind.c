/* How a claim gets its Sandbox.
 *
 * Who gets a member is decided by one script of the shared state, the same that serves claims through gRPC; the claim's
 * uid makes asking again safe. Only then are objects written. A claim of a v1alpha1 client names a template and looks
 * for a Sandbox of its own name: it gets one, and the Pod of the member moves to it (claim_move.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/claim/claim_move.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/claim_state.h"
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"
#include "services/reconciler/kubernetes/cluster/handover.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

/* A deletion that takes longer waits for somebody. */
#define LINGERS_MS 2000
#define ASK_AGAIN_MS 100

/* ---- what it has ---- */

typedef struct Found {
  const char *ns;
  const json_t *sandbox;
} Found;

static void take_first(void *arg, const json_t *sandbox) {
  Found *f = arg;
  if (!f->sandbox && str_equal(kube_namespace(sandbox), f->ns))
    f->sandbox = sandbox;
}

const json_t *claim_bind_sandbox(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  const char *uid = kube_uid(claim), *name = kube_text(claim, "status.sandbox.name");
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, name);
  if (sandbox && kube_is_controlled_by(sandbox, uid))
    return sandbox;
  /* bound in an earlier pass that did not come to say so */
  Found f = {.ns = p->ns};
  kube_informer_each_of(c->informers[CLUSTER_SANDBOX], uid, take_first, &f);
  return f.sandbox;
}

const json_t *claim_bind_pool(Cluster *c, const json_t *claim) {
  return cluster_get(c, CLUSTER_POOL, kube_namespace(claim), kube_text(claim, "spec.warmPoolRef.name"));
}

bool claim_bind_is_v1alpha1(Cluster *c, const json_t *claim) {
  return claim_is_v1alpha1_origin(claim, claim_bind_pool(c, claim) != NULL);
}

char *claim_bind_template_name(Cluster *c, const json_t *claim) {
  const char *name = kube_text(claim_bind_pool(c, claim), "spec.sandboxTemplateRef.name");
  if (name)
    return str_dup(name);
  return claim_bind_is_v1alpha1(c, claim) ? claim_template_of_origin(claim) : NULL;
}

const json_t *claim_bind_template(Cluster *c, const json_t *claim) {
  CLEANUP(str_freep) char *name = claim_bind_template_name(c, claim);
  return name ? cluster_get(c, CLUSTER_TEMPLATE, kube_namespace(claim), name) : NULL;
}

/* ---- writes ---- */

static void on_written(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err)
    claim_pass_reject(p, CLAIM_FAILED, err);
  claim_pass_look(p);
}

/* ---- cold ---- */

static void on_cold(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err && err->kind == ERROR_ALREADY_EXISTS)
    claim_pass_reject(p, CLAIM_CREATE_PENDING, NULL);
  else if (err && err->kind == ERROR_INVALID_ARGUMENT)
    claim_pass_reject(p, CLAIM_INVALID_CONFIGURATION, err);
  else if (err)
    claim_pass_reject(p, CLAIM_FAILED, err);
  if (!err)
    claim_report_got(p, p->name, false, false);
  claim_pass_look(p);
}

void claim_bind_cold(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  bool old_client = claim_bind_is_v1alpha1(c, claim);
  const json_t *template = claim_bind_template(c, claim);
  ClaimReject reject = CLAIM_ACCEPTED;
  if (!template) {
    claim_pass_reject(p, claim_bind_pool(c, claim) || old_client ? CLAIM_TEMPLATE_NOT_FOUND : CLAIM_POOL_NOT_FOUND,
                      NULL);
    return claim_pass_look(p);
  }
  KUBE_OWNED json_t *sandbox = cold_sandbox_build(claim, template, p->name, old_client, &reject, &p->err);
  if (!sandbox) {
    claim_pass_reject(p, reject, NULL);
    return claim_pass_look(p);
  }
  if (*p->why_cold)
    kube_set_annotation(sandbox, ANNOTATION_COLD_REASON, p->why_cold);
  cluster_create(c, CLUSTER_SANDBOX, p->ns, sandbox, CLAIM_MANAGER, on_cold, p);
}

/* ---- warm ---- */

static void on_released(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_released", LOG_ERR(err));
}

static void on_read_again(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (!err)
    kube_informer_put(p->cc->c->informers[CLUSTER_SANDBOX], object);
  else if (err->kind != ERROR_NOT_FOUND)
    claim_pass_reject(p, CLAIM_FAILED, err);
  claim_pass_look(p);
}

typedef struct Adoption {
  ClaimPass *p;
  char *sandbox;
  /* of the two writes that go out together */
  int n_left;
  json_t *object; /* the Sandbox as answered */
  Error err;      /* of the Sandbox's; ERROR_NONE: done */
} Adoption;

static void adopted(Adoption *adoption) {
  if (--adoption->n_left > 0)
    return;
  Adoption a = *adoption;
  free(adoption);
  ClaimPass *p = a.p;
  KUBE_OWNED json_t *object = a.object;
  const Error *err = a.err.kind == ERROR_NONE ? NULL : &a.err;
  if (err && err->kind == ERROR_ABORTED) {
    /* it was changed meanwhile, its status as a rule; it is still ours by the state */
    cluster_read(p->cc->c, CLUSTER_SANDBOX, p->ns, a.sandbox, on_read_again, p);
  } else {
    if (err && err->kind != ERROR_NOT_FOUND)
      claim_pass_reject(p, CLAIM_FAILED, err);
    if (!err)
      claim_report_got(p, a.sandbox, true, member_is_ready(object));
    claim_pass_look(p);
  }
  free(a.sandbox);
}

static void on_adopted(void *arg, json_t *object, const Error *err) {
  Adoption *a = arg;
  a->object = json_incref(object);
  if (err)
    a->err = *err;
  adopted(a);
}

/* Should it have failed, the status does not say Ready before it is written (claim_report.c). */
static void on_assigned(void *arg, json_t *object, const Error *err) {
  adopted(arg);
}

void claim_bind_adopt(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->cc->c;
  if (claim_bind_is_v1alpha1(c, claim))
    return claim_move(p, claim, sandbox, claim_bind_template(c, claim));
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, claim_bind_template(c, claim));
  Adoption *a = xmalloc(sizeof *a);
  *a = (Adoption){.p = p, .sandbox = str_dup(kube_name(sandbox)), .n_left = 2};
  claim_pass_hold(p, a->sandbox);
  claim_report_assign(p, a->sandbox, on_assigned, a);
  cluster_patch(c, CLUSTER_SANDBOX, p->ns, a->sandbox, NULL, patch, on_adopted, a);
}

static void ask(ClaimPass *p, const json_t *claim);

static void free_pairs(StatePair **pairs) {
  free(*pairs);
}

/* Members of the pool that are still coming up, and the oldest of those that run already. Only what the present data
 * set knows of is proven to be nobody's. */
typedef struct Unready {
  const char *epoch;
  int n;
  const json_t *running;
} Unready;

static void see_unready(void *arg, const json_t *sandbox) {
  Unready *u = arg;
  if (kube_is_deleting(sandbox) || member_is_ready(sandbox))
    return;
  u->n++;
  if (!member_is_adoptable(sandbox) || json_array_size(kube_get(sandbox, "status.podIPs")) == 0)
    return;
  if (!u->epoch || !str_equal(kube_annotation(sandbox, ANNOTATION_EPOCH), u->epoch))
    return;
  const char *made = kube_text(sandbox, "metadata.creationTimestamp"),
             *oldest = kube_text(u->running, "metadata.creationTimestamp");
  if (!oldest || strcmp(made, oldest) < 0)
    u->running = sandbox;
}

void claim_bind_without_member(ClaimPass *p, const json_t *claim, bool worth_waiting) {
  int64_t age_ms = clock_wall_ms() - kube_parse_time(kube_text(claim, "metadata.creationTimestamp"));
  if (worth_waiting && age_ms < p->cc->c->config->candidate_grace_ms) {
    p->silent = true;
    p->again_ms = ASK_AGAIN_MS;
    return claim_pass_end(p);
  }
  claim_bind_cold(p, claim);
}

/* Its deletion waits for somebody's finalizer. */
static bool lingers(const json_t *sandbox) {
  int64_t since_ms = kube_parse_time(kube_text(sandbox, "metadata.deletionTimestamp"));
  return since_ms > 0 && clock_wall_ms() - since_ms > LINGERS_MS;
}

/* It went while it was given. */
void claim_bind_give_back(ClaimPass *p, const char *id, const char *uid) {
  state_release(p->cc->c->state, p->ns, id, uid, "Gone", on_released, NULL);
  p->silent = true;
  p->again_ms = ASK_AGAIN_MS;
  claim_pass_end(p);
}

static void on_taken(void *arg, const Error *err) {
  Adoption a = *(Adoption *)arg;
  free(arg);
  ClaimPass *p = a.p;
  CLEANUP(str_freep) char *id = a.sandbox;
  const json_t *claim = cluster_get(p->cc->c, CLUSTER_CLAIM, p->ns, p->name),
               *sandbox = cluster_get(p->cc->c, CLUSTER_SANDBOX, p->ns, id);
  if ((err && err->kind == ERROR_CANCELLED) || !claim)
    return claim_pass_end(p);
  if (err)
    return claim_bind_without_member(p, claim, true);
  if (member_is_adoptable(sandbox))
    return claim_bind_adopt(p, claim, sandbox);
  claim_bind_give_back(p, id, kube_uid(claim));
}

static void on_queue_known(void *arg, const PoolRecord *pool, const Error *err) {
  Adoption *a = arg;
  ClaimPass *p = a->p;
  Cluster *c = p->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->ns, p->name),
               *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, a->sandbox);
  bool lives = claim && (!err || err->kind != ERROR_CANCELLED);
  if (lives && !err && pool->n_waiting == 0 && member_is_adoptable(sandbox) &&
      claim_state_take(p, claim, sandbox, on_taken, a))
    return;
  free(a->sandbox);
  free(a);
  if (lives)
    claim_bind_without_member(p, claim, true);
  else
    claim_pass_end(p);
}

/* None is ready: one that runs and is not ready yet is there sooner than a new one. Those who wait come first. */
static void take_running(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Adoption *a = xmalloc(sizeof *a);
  *a = (Adoption){p, str_dup(kube_name(sandbox))};
  char pool[STATE_NAME_SIZE];
  state_name_of_pool(kube_text(claim, "spec.warmPoolRef.name"), pool);
  state_pool_get(p->cc->c->state, p->ns, pool, on_queue_known, a);
}

/* No cold Sandbox either: that would only be another way round the quota. */
static void refuse(ClaimPass *p, const QuotaRefusal *refusal) {
  Error err;
  error_set(&err, ERROR_RESOURCE_EXHAUSTED,
            "the quota of tenant " STATE_KUBERNETES_TENANT " in this namespace has no room: %s, allowed %s, in use %s",
            refusal->limit, refusal->allowed, refusal->used);
  claim_pass_reject(p, CLAIM_QUOTA_EXCEEDED, &err);
  claim_pass_look(p);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  ClaimPass *p = arg;
  Cluster *c = p->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->ns, p->name);
  if (err && err->kind == ERROR_CANCELLED)
    return claim_pass_end(p);
  /* who asked is gone, though there may be another of its name */
  if (!err && r->outcome == CLAIM_GRANTED && (!claim || !str_equal(kube_uid(claim), r->record->uid)))
    return claim_bind_give_back(p, r->record->id, r->record->uid);
  if (!claim)
    return claim_pass_end(p);
  if (err) {
    /* The state is away: a cold Sandbox needs nothing of it. What it may have granted after all is let go when
     * state and world are compared. */
    return claim_bind_without_member(p, claim, true);
  }
  if (r->outcome == CLAIM_GRANTED) {
    const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, r->record->id);
    if (r->record->state == SANDBOX_CLAIMED && member_is_adoptable(sandbox))
      return p->env ? claim_runtime_bind(p, claim, r->record) : claim_bind_adopt(p, claim, sandbox);
    if (!lingers(sandbox))
      return claim_bind_give_back(p, r->record->id, kube_uid(claim));
    state_release(c->state, p->ns, r->record->id, kube_uid(claim), "Gone", on_released, NULL);
    return claim_bind_cold(p, claim);
  }
  if (r->outcome == CLAIM_REFUSED)
    return refuse(p, r->refusal);
  if (json_array_size(p->pools) > 0)
    return ask(p, claim);
  const json_t *pool = claim_bind_pool(c, claim);
  Unready unready = {.epoch = cluster_epoch(c)};
  if (pool)
    kube_informer_each_of(c->informers[CLUSTER_SANDBOX], kube_uid(pool), see_unready, &unready);
  /* one that is not ready may not answer yet, and whoever has values for it cannot go without an answer */
  if (unready.running && r->outcome == CLAIM_EMPTY && !p->env)
    return take_running(p, claim, unready.running);
  claim_bind_without_member(p, claim, unready.n > 0 || (pool && r->outcome == CLAIM_NO_POOL));
}

static void collect_pool(void *arg, const json_t *pool) {
  json_array_append(arg, (json_t *)pool);
}

/* Of a claim that names a template: every pool of it serves. */
static json_t *pools_of_template(Cluster *c, const char *ns, const char *template_name) {
  KUBE_OWNED json_t *all = json_array();
  json_t *names = json_array(), *pool;
  size_t i;
  kube_informer_each(c->informers[CLUSTER_POOL], collect_pool, all);
  json_array_foreach(all, i, pool) {
    bool fits = str_equal(kube_namespace(pool), ns) &&
                str_equal(kube_text(pool, "spec.sandboxTemplateRef.name"), template_name);
    if (fits && !kube_is_deleting(pool) && state_names_has(c, pool))
      json_array_append_new(names, json_string(kube_name(pool)));
  }
  return names;
}

/* Asks the next pool. */
static void ask(ClaimPass *p, const json_t *claim) {
  KUBE_OWNED json_t *name = json_incref(json_array_get(p->pools, 0));
  if (!name)
    return claim_bind_cold(p, claim);
  json_array_remove(p->pools, 0);
  char pool[STATE_NAME_SIZE];
  state_name_of_pool(json_string_value(name), pool);
  CLEANUP(free_pairs) StatePair *env = xcalloc(json_object_size(p->env) + 1, sizeof *env);
  state_claim(p->cc->c->state,
              &(ClaimRequest){.ns = p->ns,
                              .pool = pool,
                              .uid = kube_uid(claim),
                              .request_id = "",
                              .tenant = STATE_KUBERNETES_TENANT,
                              .env = env,
                              .n_env = claim_state_pairs(p->env, env),
                              .takes_again = true},
              on_claimed, p);
}

void claim_bind_warm(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  json_decref(p->pools);
  const json_t *pool = claim_bind_pool(c, claim);
  CLEANUP(str_freep) char *template_name = claim_bind_template_name(c, claim);
  if (claim_bind_is_v1alpha1(c, claim) && template_name)
    p->pools = pools_of_template(c, p->ns, template_name);
  else
    p->pools = state_names_has(c, pool) && !kube_is_deleting(pool) ? json_pack("[s]", kube_name(pool)) : json_array();
  ask(p, claim);
}

void claim_bind(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  const json_t *template = claim_bind_template(c, claim);
  const json_t *namesake = cluster_get(c, CLUSTER_SANDBOX, p->ns, p->name);
  ClaimReject reject;
  if (namesake) {
    error_set(&p->err, ERROR_FAILED_PRECONDITION,
              "sandbox \"%s\" is not controlled by claim \"%s\". Please use a different claim name or delete the "
              "sandbox manually",
              p->name, p->name);
    claim_pass_reject(p, CLAIM_FAILED, NULL);
    return claim_pass_look(p);
  }
  if (claim_check_metadata(claim, template, &p->cc->domains, &reject, &p->err) != 0) {
    claim_pass_reject(p, reject, NULL);
    return claim_pass_look(p);
  }
  if (claim_needs_cold(claim))
    return claim_bind_cold(p, claim);
  if (claim_has_env(claim) && !p->env)
    return claim_runtime_begin(p, claim);
  claim_bind_warm(p, claim);
}

/* ---- keeping it in line ---- */

bool claim_bind_sync(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->cc->c;
  ClaimReject reject;
  const json_t *template = claim_bind_template(c, claim);
  if (handover_is_open(c, sandbox)) {
    claim_move_finish(p, sandbox);
    return true;
  }
  if (claim_check_metadata(claim, template, &p->cc->domains, &reject, &p->err) != 0) {
    claim_pass_reject(p, reject, NULL);
    return false;
  }
  if (!template && claim_has_metadata(claim)) {
    error_set(&p->err, ERROR_NOT_FOUND,
              "the template is not readable, and additionalPodMetadata must be checked against it");
    claim_pass_reject(p, CLAIM_FAILED, NULL);
    return false;
  }
  KUBE_OWNED json_t *patch = claim_sync_patch(claim, sandbox, template);
  if (patch)
    cluster_patch(c, CLUSTER_SANDBOX, p->ns, kube_name(sandbox), NULL, patch, on_written, p);
  return patch != NULL;
}
