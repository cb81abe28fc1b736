/* How a claim gets a member of a pool; see claim_pass.h.
 *
 * Who gets a member is decided by one script of the shared state, the same that serves claims through gRPC; the claim's
 * uid makes asking again safe. Only then are objects written. A claim of a v1alpha1 client names a template and looks
 * for a Sandbox of its own name: it gets one, and the Pod of the member moves to it (claim_move.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

/* A deletion that takes longer waits for somebody. */
#define LINGERS_MS 2000

/* ---- none is ready: one that runs and is not ready yet is there sooner than a new one ---- */

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

static const json_t *member_of(const ClaimPass *p) {
  return cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->member);
}

static PassNext taken(ClaimPass *p, const Error *err) {
  const json_t *claim = claim_pass_claim(p), *sandbox = member_of(p);
  if (!claim)
    return PASS_DONE;
  if (err)
    return claim_cold_or_wait(p, claim, true);
  if (member_is_adoptable(sandbox))
    return claim_adopt(p, claim, sandbox);
  return claim_cold_give_back(p, p->member, kube_uid(claim));
}

static void on_taken(void *arg, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, taken(p, err));
}

/* Those who wait come first. */
static PassNext queue_known(ClaimPass *p, const PoolRecord *pool, const Error *err) {
  const json_t *claim = claim_pass_claim(p), *sandbox = member_of(p);
  if (!claim)
    return PASS_DONE;
  if (!err && pool->n_waiting == 0 && member_is_adoptable(sandbox) && claim_state_take(p, claim, sandbox, on_taken, p))
    return PASS_WAIT;
  return claim_cold_or_wait(p, claim, true);
}

static void on_queue_known(void *arg, const PoolRecord *pool, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, queue_known(p, pool, err));
}

/* All pools that serve it have no member that is ready. */
static PassNext without_member(ClaimPass *p, const json_t *claim, ClaimOutcome outcome) {
  Cluster *c = p->pass.c;
  const json_t *pool = claim_lookup_pool(c, claim);
  Unready unready = {.epoch = cluster_epoch(c)};
  if (pool)
    cluster_each_of(c, CLUSTER_SANDBOX, kube_uid(pool), see_unready, &unready);
  /* one that is not ready may not answer yet, and whoever has values for it cannot go without an answer */
  if (!unready.running || outcome != CLAIM_EMPTY || p->env)
    return claim_cold_or_wait(p, claim, unready.n > 0 || (pool && outcome == CLAIM_NO_POOL));
  snprintf(p->member, sizeof p->member, "%s", kube_name(unready.running));
  char name[STATE_NAME_SIZE];
  state_name_of_pool(kube_text(claim, "spec.warmPoolRef.name"), name);
  state_pool_get(c->state, p->pass.ns, name, on_queue_known, p);
  return PASS_WAIT;
}

/* ---- one is asked for ---- */

/* Its deletion waits for somebody's finalizer. */
static bool lingers(const json_t *sandbox) {
  int64_t since_ms = kube_parse_time(kube_text(sandbox, "metadata.deletionTimestamp"));
  return since_ms > 0 && clock_wall_ms() - since_ms > LINGERS_MS;
}

static PassNext granted(ClaimPass *p, const json_t *claim, const SandboxRecord *record) {
  const json_t *sandbox = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, record->id);
  if (record->state == SANDBOX_CLAIMED && member_is_adoptable(sandbox))
    return p->env ? claim_runtime_bind(p, claim, record) : claim_adopt(p, claim, sandbox);
  if (!lingers(sandbox))
    return claim_cold_give_back(p, record->id, kube_uid(claim));
  claim_cold_release(p, record->id, kube_uid(claim), "Gone");
  return claim_cold(p, claim);
}

/* No cold Sandbox either: that would only be another way round the quota. */
static PassNext refused(ClaimPass *p, const QuotaRefusal *refusal) {
  Error err;
  error_set(&err, ERROR_RESOURCE_EXHAUSTED,
            "the quota of tenant " STATE_KUBERNETES_TENANT " in this namespace has no room: %s, allowed %s, in use %s",
            refusal->limit, refusal->allowed, refusal->used);
  return claim_pass_reject(p, CLAIM_QUOTA_EXCEEDED, &err);
}

static PassNext ask(ClaimPass *p, const json_t *claim);

static PassNext claimed(ClaimPass *p, const ClaimResult *r, const Error *err) {
  const json_t *claim = claim_pass_claim(p);
  /* who asked is gone, though there may be another of its name */
  if (!err && r->outcome == CLAIM_GRANTED && (!claim || !str_equal(kube_uid(claim), r->record->uid)))
    return claim_cold_give_back(p, r->record->id, r->record->uid);
  if (!claim)
    return PASS_DONE;
  /* The state is away: a cold Sandbox needs nothing of it. What it may have granted after all is let go when state and
   * world are compared. */
  if (err)
    return claim_cold_or_wait(p, claim, true);
  if (r->outcome == CLAIM_GRANTED)
    return granted(p, claim, r->record);
  if (r->outcome == CLAIM_REFUSED)
    return refused(p, r->refusal);
  if (json_array_size(p->pools) > 0)
    return ask(p, claim);
  return without_member(p, claim, r->outcome);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, claimed(p, r, err));
}

static void free_pairs(StatePair **pairs) {
  free(*pairs);
}

/* Asks the next pool. */
static PassNext ask(ClaimPass *p, const json_t *claim) {
  KUBE_OWNED json_t *name = json_incref(json_array_get(p->pools, 0));
  if (!name)
    return claim_cold(p, claim);
  json_array_remove(p->pools, 0);
  char pool[STATE_NAME_SIZE];
  state_name_of_pool(json_string_value(name), pool);
  size_t n_env;
  CLEANUP(free_pairs) StatePair *env = claim_state_pairs(p->env, &n_env);
  state_claim(p->pass.c->state,
              &(ClaimRequest){.ns = p->pass.ns,
                              .pool = pool,
                              .uid = kube_uid(claim),
                              .request_id = "",
                              .tenant = STATE_KUBERNETES_TENANT,
                              .env = env,
                              .n_env = n_env,
                              .takes_again = true},
              on_claimed, p);
  return PASS_WAIT;
}

/* ---- whom to ask ---- */

typedef struct Serving {
  const Cluster *c;
  const char *ns, *template_name;
  json_t *names;
} Serving;

static void serve(void *arg, const json_t *pool) {
  const Serving *s = arg;
  bool fits = str_equal(kube_namespace(pool), s->ns) &&
              str_equal(kube_text(pool, "spec.sandboxTemplateRef.name"), s->template_name);
  if (fits && !kube_is_deleting(pool) && state_names_has(s->c, pool))
    json_array_append_new(s->names, json_string(kube_name(pool)));
}

PassNext claim_warm(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  json_decref(p->pools);
  p->pools = json_array();
  const json_t *pool = claim_lookup_pool(c, claim);
  CLEANUP(str_freep) char *template_name = claim_lookup_template_name(c, claim);
  Serving s = {c, p->pass.ns, template_name, p->pools};
  /* of a claim that names a template, every pool of it serves */
  if (claim_lookup_is_v1alpha1(c, claim) && template_name)
    cluster_each(c, CLUSTER_POOL, serve, &s);
  else if (state_names_has(c, pool) && !kube_is_deleting(pool))
    json_array_append_new(p->pools, json_string(kube_name(pool)));
  return ask(p, claim);
}
