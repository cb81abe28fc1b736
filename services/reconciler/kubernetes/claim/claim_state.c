/* What SandboxClaims and the shared state have to tell each other. The state says who gets a member; once the objects
 * say it too, they are what the state is made from again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/runtime_env.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define RESTORE_AGAIN_MS 500
/* An object whose Sandbox is not its yet, or no longer: looked at this often until one of them goes. */
#define SHOWN_AGAIN_MS 1000
/* The status of such an object is another write, which a claim that is over by then never costs. Clients that look for
 * it by the object wait half a minute. */
#define SHOWN_QUIET_MS 15000

typedef struct Restoring {
  ClaimController *cc;
  char *ns, *name, *uid, *id;
} Restoring;

static void restoring_free(Restoring *r) {
  free(r->ns);
  free(r->name);
  free(r->uid);
  free(r->id);
  free(r);
}

static void on_released(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_released", LOG_ERR(err));
}

/* State and objects name different holders, as when an older data set has come back: whoever came second found what the
 * first left in it, so neither can go on with it. */
static void on_other_holder(void *arg, const SandboxRecord *record, const Error *err) {
  Restoring *r = arg;
  Cluster *c = r->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, r->ns, r->name),
               *sandbox = cluster_get(c, CLUSTER_SANDBOX, r->ns, r->id);
  bool is_ours = str_equal(kube_uid(claim), r->uid) && kube_is_controlled_by(sandbox, r->uid);
  if (!err && is_ours && record->state == SANDBOX_CLAIMED && !str_equal(record->uid, claim_state_uid(claim))) {
    log_event(LOG_ERROR, "sandbox_held_twice", LOG_STR("namespace", r->ns), LOG_STR("sandbox", r->id),
              LOG_STR("claim", r->name));
    state_release(c->state, r->ns, r->id, record->uid, "HeldTwice", on_released, NULL);
  }
  restoring_free(r);
}

static void on_restored(void *arg, const Error *err) {
  Restoring *r = arg;
  bool is_held = err && err->kind == ERROR_FAILED_PRECONDITION; /* by another: asking again is of no use */
  if (err && err->kind != ERROR_CANCELLED && err->kind != ERROR_NOT_FOUND)
    log_event(LOG_WARN, "claim_not_restored", LOG_ERR(err));
  if (err && err->kind != ERROR_CANCELLED && !is_held) {
    /* NOT_FOUND: of a pool that the state is being told of at the same time, as when its data set is new */
    json_object_del(r->cc->restored, r->uid);
    controller_add_after(r->cc->k, r->ns, r->name, RESTORE_AGAIN_MS);
  }
  if (is_held)
    state_get(r->cc->c->state, r->ns, r->id, on_other_holder, r);
  else
    restoring_free(r);
}

StatePair *claim_state_pairs(const json_t *texts, size_t *ret_n) {
  StatePair *pairs = xcalloc(json_object_size(texts) + 1, sizeof *pairs);
  const char *key;
  json_t *v;
  size_t n = 0;
  json_object_foreach((json_t *)texts, key, v) {
    if (json_is_string(v))
      pairs[n++] = (StatePair){key, json_string_value(v)};
  }
  *ret_n = n;
  return pairs;
}

/* route: "" when it has none. pool: the object, NULL: gone. */
static void tell(Cluster *c, const json_t *claim, const json_t *sandbox, const json_t *pool, const char *route,
                 StateDoneFn fn, void *arg) {
  const char *template_name = kube_annotation(sandbox, ANNOTATION_TEMPLATE_REF),
             *hash = kube_label(sandbox, LABEL_TEMPLATE_HASH);
  const char *class_name = kube_text(sandbox, "spec.podTemplate.spec.runtimeClassName");
  /* the end of a SandboxClaim is its controller's business: it may be retained */
  int64_t expire_ms = claim_is_shown(claim) ? kube_parse_time(kube_text(claim, "spec.lifecycle.shutdownTime")) : 0;
  /* of a claim made through gRPC, as it was; whoever may make such an object may charge whom he likes */
  const char *tenant = claim_is_shown(claim) ? kube_annotation(claim, ANNOTATION_MIRRORED_TENANT) : NULL;
  if (!tenant || !str_is_dns_label(tenant))
    tenant = STATE_KUBERNETES_TENANT;
  KUBE_OWNED json_t *values = runtime_env_kept(sandbox);
  size_t n_labels, n_env;
  StatePair *labels = claim_state_pairs(kube_get(claim, "metadata.labels"), &n_labels),
            *env = claim_state_pairs(values, &n_env);
  char template_known[STATE_NAME_SIZE];
  state_name_of_template(template_name ? template_name : "", template_known);
  state_restore(c->state,
                &(SandboxRecord){.ns = kube_namespace(claim),
                                 .id = sandbox_read_id(sandbox),
                                 .uid = claim_state_uid(claim),
                                 .template_name = template_name ? template_known : "",
                                 .template_hash = hash ? hash : "",
                                 .route = route,
                                 .runtime_class = class_name ? class_name : "",
                                 .tenant = tenant,
                                 .expire_ms = expire_ms > 0 ? expire_ms : 0,
                                 .labels = labels,
                                 .n_labels = n_labels,
                                 .env = env,
                                 .n_env = n_env},
                !pool || kube_is_deleting(pool), fn, arg);
  free(labels);
  free(env);
}

bool claim_state_take(ClaimPass *p, const json_t *claim, const json_t *sandbox, StateDoneFn fn, void *arg) {
  char route[80], pool_name[STATE_NAME_MAX + 1];
  const char *id = kube_name(sandbox);
  if (strpbrk(id, "{}/") || !state_pool_of(id, pool_name) || !sandbox_read_route(sandbox, route, sizeof route))
    return false;
  const json_t *pool = state_names_pool(p->pass.c, p->pass.ns, pool_name);
  if (!pool || kube_is_deleting(pool))
    return false;
  tell(p->pass.c, claim, sandbox, pool, route, fn, arg);
  return true;
}

/* Not waited for: the objects keep the Sandbox out of every pool as well. Without an address too: the one that is known
 * may be another's by now. */
void claim_state_restore(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  const char *uid = kube_uid(claim);
  char route[80], pool_name[STATE_NAME_MAX + 1];
  const char *id = sandbox_read_id(sandbox);
  /* a cold one has no record, whatever its name looks like */
  if (strpbrk(id, "{}/") || !state_pool_of(id, pool_name) || !str_equal(kube_label(sandbox, LABEL_LAUNCH_TYPE), "warm"))
    return;
  if (!sandbox_read_route(sandbox, route, sizeof route)) {
    if (!kube_get(sandbox, "status.conditions"))
      return; /* new: its controller has not looked for the Pod yet */
    *route = 0;
  }
  if (str_equal(json_string_value(json_object_get(claim_pass_owner(p)->restored, uid)), route))
    return;
  json_object_set_new(claim_pass_owner(p)->restored, uid, json_string(route));
  Restoring *r = xmalloc(sizeof *r);
  *r = (Restoring){claim_pass_owner(p), str_dup(p->pass.ns), str_dup(p->pass.name), str_dup(uid), str_dup(id)};
  tell(p->pass.c, claim, sandbox, state_names_pool(p->pass.c, p->pass.ns, pool_name), route, on_restored, r);
}

void claim_state_let_go(Cluster *c, const json_t *claim) {
  const char *name = kube_text(claim, "status.sandbox.name"), *ns = kube_namespace(claim);
  const char *assigned = claim_assigned_name(claim);
  /* also one it got a moment ago, of which its status does not say */
  const json_t *sandbox = claim_lookup_sandbox(c, claim);
  if (!sandbox)
    sandbox = cluster_get(c, CLUSTER_SANDBOX, ns, name ? name : assigned);
  const char *id = sandbox ? sandbox_read_id(sandbox) : name ? name : assigned;
  if (id)
    state_release(c->state, ns, id, claim_state_uid(claim), "ClaimDeleted", on_released, NULL);
}

/* ---- objects that show claims made through gRPC ---- */

static PassNext on_shown_gone(void *pass, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    claim_pass_reject(pass, CLAIM_FAILED, err);
  return PASS_DONE;
}

static PassNext shown_known(ClaimPass *p, const SandboxRecord *r, const Error *err) {
  Cluster *c = p->pass.c;
  const json_t *claim = claim_pass_claim(p);
  bool is_away = err && err->kind != ERROR_NOT_FOUND;
  bool lives = !err && r->state == SANDBOX_CLAIMED && claim && str_equal(r->uid, claim_state_uid(claim));
  if (!claim || kube_is_deleting(claim))
    return PASS_DONE;
  if (!is_away && !lives && !claim_lookup_sandbox(c, claim) && !cluster_is_ending(c, claim))
    return pass_delete(&p->pass, CLUSTER_CLAIM, claim, "Background", on_shown_gone);
  p->pass.again_ms = SHOWN_AGAIN_MS;
  return PASS_DONE;
}

static void on_shown_record(void *arg, const SandboxRecord *r, const Error *err) {
  ClaimPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, shown_known(p, r, err));
}

PassNext claim_state_shown(ClaimPass *p, const json_t *claim) {
  const json_t *sandbox = claim_lookup_sandbox(p->pass.c, claim);
  if (!sandbox) {
    state_get(p->pass.c->state, p->pass.ns, p->pass.name, on_shown_record, p);
    return PASS_WAIT;
  }
  claim_state_restore(p, claim, sandbox);
  int64_t quiet_ms = p->pass.c->config->grpc_claim_quiet_ms;
  if (quiet_ms > SHOWN_QUIET_MS)
    quiet_ms = SHOWN_QUIET_MS;
  int64_t left_ms = kube_parse_time(kube_text(claim, "metadata.creationTimestamp")) + quiet_ms - clock_wall_ms();
  if (left_ms <= 0)
    return claim_report(p, claim, sandbox);
  p->pass.again_ms = left_ms;
  return PASS_DONE;
}
